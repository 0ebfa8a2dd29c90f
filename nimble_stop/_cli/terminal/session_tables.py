"""How sessions and times read: a line each, with all members, or as their state changes.

Tables fit the terminal; in a pipe they are lines for other programs, or JSON.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.terminal import writing
from nimble_stop._cli.terminal.writing import Output
from nimble_stop.models import StreamingSession, StreamingSessionState as State, VolumeConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable


# How wide a terminal must be for each column to be worth its room.
_COLUMNS: Final = (("SESSION", 0), ("STATE", 0), ("OWNER", 50), ("INSTANCE", 65), ("CHANGED", 78))
_STATE_STYLES: Final = {"STOPPED": "green", "READY": "cyan"}
_VOLUMES_NOW: Final = {"RETAIN": "retained", "DELETE": "deleted"}


def write_sessions(sessions: Iterable[StreamingSession], output: Output, now: datetime) -> int:
    """Write sessions, one a line, and give their number.

    In a terminal the columns are those that there is room for, and ids are never cut. In a pipe
    the fields are all there, separated by tabs, and there is no heading.
    """
    if output is Output.TABLE and writing.is_terminal(sys.stdout):
        return _write_table(sessions, now)
    count = 0
    with writing.values_writer(output, _line, StreamingSession.to_dict) as write_value:
        for session in sessions:
            count += 1
            write_value(session)
    return count


def _line(session: StreamingSession) -> str:
    changed = session.updated_at or session.created_at
    return "\t".join((*_fields(session), changed.isoformat() if changed else ""))


def _fields(session: StreamingSession) -> list[str]:
    values = (session.session_id, session.state, session.owned_by, session.ec2_instance_type)
    return [writing.printable(value or "") for value in values]


def _write_table(sessions: Iterable[StreamingSession], now: datetime) -> int:
    from rich.table import Table
    from rich.text import Text

    width = writing.console(sys.stdout).width
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, least_width in _COLUMNS:
        if width >= least_width:
            table.add_column(title, overflow="fold", no_wrap=title == "STATE")
    for session in sessions:
        session_id, state, *others = _fields(session)
        changed = session.updated_at or session.created_at
        ago = distance(changed, now) if changed else ""
        cells: list[str | Text] = [session_id, Text(state, state_style(state)), *others, ago]
        table.add_row(*cells[: len(table.columns)])
    if table.row_count:
        writing.write_rich(table)
    return table.row_count


def write_session(session: StreamingSession, output: Output, now: datetime) -> None:
    """Write all that is known of one session, a label and a text each."""
    if output is not Output.TABLE:
        writing.write_json(session.to_dict(), output)
        return
    styles = {"session": "bold", "state": state_style(session.state or "")}
    writing.write_rows(session_rows(session, now), styles=styles)


def session_rows(session: StreamingSession, now: datetime) -> dict[str, str | None]:
    """Describe every member of a session; those that the service did not send are empty."""
    status = (session.status_code, session.status_message)
    return {
        "session": session.session_id or "not given by the service",
        "state": session.state,
        "status": writing.one_line(": ".join(part for part in status if part)),
        "owner": session.owned_by,
        "instance": session.ec2_instance_type,
        "volumes": _volume(session.volume_configuration) + volumes(session),
        "persistence": session.session_persistence_mode,
        "backups": _backups(session),
        "created": _event(now, session.created_at, session.created_by),
        "started": _event(now, session.started_at, session.started_by),
        "stopped": _event(now, session.stopped_at, session.stopped_by),
        "updated": _event(now, session.updated_at, session.updated_by),
        "stops": _event(now, session.stop_at),
        "terminates": _event(now, session.terminate_at),
        "termination": session.automatic_termination_mode,
        "profile": session.launch_profile_id,
        "image": session.streaming_image_id,
        "tags": writing.one_line(
            ", ".join(f"{key}={value}" for key, value in (session.tags or {}).items())
        ),
        "arn": session.arn,
    }


def _volume(volume: VolumeConfiguration | None) -> str:
    if volume is None:
        return ""
    values = {"GiB": volume.size, "IOPS": volume.iops, "MiB/s": volume.throughput}
    return "".join(f"{value} {unit}, " for unit, value in values.items() if value is not None)


def _backups(session: StreamingSession) -> str:
    kept, backup = session.max_backups_to_retain, session.started_from_backup_id
    parts = (
        session.backup_mode,
        f"at most {kept} kept" if kept is not None else None,
        f"started from {backup}" if backup else None,
    )
    return ", ".join(part for part in parts if part)


def _event(now: datetime, time: datetime | None, person: str | None = None) -> str:
    parts = (moment(time, now) if time else "", f"by {person}" if person else "")
    return " ".join(part for part in parts if part)


class StateHistory:
    """The states that a session was read in; `on_change` gets each new one, and after how long."""

    def __init__(
        self,
        session_id: str,
        on_change: Callable[[str, str], object],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.session = StreamingSession()
        self._name = writing.printable(session_id)
        self._on_change = on_change
        self._clock = clock
        self._began = clock()
        self._states: list[str] = []

    def add(self, session: StreamingSession) -> None:
        self.session = session
        state = writing.printable(session.state or "UNKNOWN")
        if self._states[-1:] != [state]:
            self._states.append(state)
            self._on_change(f"{self._name}: {state}", self._took)

    def write(self) -> None:
        rows = {
            "session": self._name,
            "states": " -> ".join(self._states),
            "volumes": volumes(self.session),
            "took": self._took,
        }
        style = state_style(self.session.state or "")
        writing.write_rows(rows, styles={"session": "bold", "states": style})

    @property
    def _took(self) -> str:
        return duration(self._clock() - self._began)


@contextmanager
def show_states(
    session_id: str, output: Output, *, quiet: bool, plain: bool
) -> Generator[StateHistory]:
    """Show a session's states while the caller reads it, and what has become of it in the end.

    In a terminal the latest one stands beside a clock; elsewhere, and if ``plain``, each is a line.
    """
    shown = output is Output.TABLE and not quiet
    if shown and not plain and writing.is_terminal(sys.stderr):
        with _progress(session_id) as history:
            yield history
    else:
        history = StateHistory(session_id, _note_state if shown else lambda _, __: None)
        yield history
    if shown:
        history.write()
    elif output is not Output.TABLE:
        writing.write_json(history.session.to_dict(), output)


def _note_state(state: str, took: str) -> None:
    writing.note(f"{state} after {took}")


@contextmanager
def _progress(session_id: str) -> Generator[StateHistory]:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn("line"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=writing.console(sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        task = progress.add_task(writing.printable(session_id), total=None)
        yield StateHistory(session_id, lambda state, _: progress.update(task, description=state))


def duration(seconds: float) -> str:
    """Describe a length of time in at most two units; from ten seconds on tenths are noise."""
    if seconds < 10:  # noqa: PLR2004  # see above
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def distance(time: datetime, now: datetime) -> str:
    seconds = (now - time).total_seconds()
    number, unit, *_ = duration(abs(seconds)).split()
    span = f"{number.partition('.')[0]} {unit}"
    return f"{span} ago" if seconds >= 0 else f"in {span}"


def moment(time: datetime, now: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({distance(time, now)})"


def state_style(state: str) -> str:
    """Choose the colour of a state; all that pass are yellow, all that failed are red."""
    if state.endswith("_FAILED"):
        return "bold red"
    return _STATE_STYLES.get(state, "yellow" if state.endswith("_IN_PROGRESS") else "")


def volumes(session: StreamingSession) -> str:
    """Describe what happens, or happened, to a session's volumes."""
    mode = session.volume_retention_mode
    if mode is None:
        return "not given by the service"
    now = _VOLUMES_NOW.get(mode)
    if now is None:
        return writing.printable(mode)
    if session.state == State.STOPPED:
        return now
    return f"will be {now}" if session.state == State.STOP_IN_PROGRESS else f"{now} when it stops"
