"""Sessions: several with a line each, one with all its members, or one as its state changes.

Tables fit the terminal; in a pipe they are lines for other programs, or JSON.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.terminal.text import (
    distance,
    duration,
    moment,
    one_line,
    printable,
    state_style,
    volumes,
)
from nimble_stop._cli.terminal.writing import (
    Output,
    console,
    document_of,
    is_terminal,
    json_writer,
    note,
    write,
    write_json,
    write_rich,
    write_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from datetime import datetime

    from nimble_stop.models import StreamingSession, VolumeConfiguration

# How wide a terminal must be for each column to be worth its room.
_COLUMNS: Final = (("SESSION", 0), ("STATE", 0), ("OWNER", 50), ("INSTANCE", 65), ("CHANGED", 78))


def write_sessions(sessions: Iterable[StreamingSession], output: Output, now: datetime) -> int:
    """Write sessions, one a line, and give their number.

    In a terminal the columns are those that there is room for, and ids are never cut. In a pipe
    the fields are all there, separated by tabs, and there is no heading.
    """
    if output is Output.TABLE and is_terminal(sys.stdout):
        return _write_table(sessions, now)
    count = 0
    with nullcontext() if output is Output.TABLE else json_writer(output) as write_object:
        for session in sessions:
            count += 1
            changed = session.updated_at or session.created_at
            if write_object is not None:
                write_object(document_of(session))
            else:
                write("\t".join((*_fields(session), changed.isoformat() if changed else "")))
    return count


def _fields(session: StreamingSession) -> list[str]:
    values = (session.session_id, session.state, session.owned_by, session.ec2_instance_type)
    return [printable(value or "") for value in values]


def _write_table(sessions: Iterable[StreamingSession], now: datetime) -> int:
    from rich.table import Table
    from rich.text import Text

    width = console(sys.stdout).width
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, least_width in _COLUMNS:
        if width >= least_width:
            table.add_column(title, overflow="fold", no_wrap=title == "STATE")
    for session in sessions:
        session_id, state, *others = _fields(session)
        changed = session.updated_at or session.created_at
        cells = (*others, distance(changed, now) if changed else "")
        styled = Text(state, state_style(state))
        table.add_row(session_id, styled, *cells[: len(table.columns) - 2])
    if table.row_count:
        write_rich(table)
    return table.row_count


def write_session(session: StreamingSession, output: Output, now: datetime) -> None:
    """Write all that is known of one session, a label and a text each."""
    if output is not Output.TABLE:
        write_json(document_of(session), output)
        return
    styles = {"session": "bold", "state": state_style(session.state or "")}
    write_rows(session_rows(session, now), styles=styles)


def session_rows(session: StreamingSession, now: datetime) -> Iterator[tuple[str, str]]:
    """Describe every member of a session; those that the service did not send are empty."""
    yield "session", printable(session.session_id or "not given by the service")
    yield "state", printable(session.state or "")
    status = (session.status_code, session.status_message)
    yield "status", one_line(": ".join(part for part in status if part))
    yield "owner", printable(session.owned_by or "")
    yield "instance", printable(session.ec2_instance_type or "")
    yield "volumes", _volume(session.volume_configuration) + volumes(session)
    yield "persistence", printable(session.session_persistence_mode or "")
    yield "backups", _backups(session)
    for label, time, person in (
        ("created", session.created_at, session.created_by),
        ("started", session.started_at, session.started_by),
        ("stopped", session.stopped_at, session.stopped_by),
        ("updated", session.updated_at, session.updated_by),
    ):
        yield label, _event(time, person, now)
    yield "stops", _event(session.stop_at, None, now)
    yield "terminates", _event(session.terminate_at, None, now)
    yield "termination", printable(session.automatic_termination_mode or "")
    yield "profile", printable(session.launch_profile_id or "")
    yield "image", printable(session.streaming_image_id or "")
    yield "tags", ", ".join(f"{one_line(k)}={one_line(v)}" for k, v in (session.tags or {}).items())
    yield "arn", printable(session.arn or "")


def _volume(configuration: VolumeConfiguration | None) -> str:
    if configuration is None:
        return ""
    values = (
        (configuration.size, "GiB"),
        (configuration.iops, "IOPS"),
        (configuration.throughput, "MiB/s"),
    )
    return "".join(f"{value} {unit}, " for value, unit in values if value is not None)


def _backups(session: StreamingSession) -> str:
    kept, backup = session.max_backups_to_retain, session.started_from_backup_id
    parts = (
        session.backup_mode,
        f"at most {kept} kept" if kept is not None else None,
        f"started from {backup}" if backup else None,
    )
    return printable(", ".join(part for part in parts if part))


def _event(time: datetime | None, person: str | None, now: datetime) -> str:
    by = f"by {printable(person)}" if person else ""
    return " ".join(part for part in (moment(time, now) if time else "", by) if part)


class StateHistory:
    """The states that a session was read in; `on_change` gets a line of text at each change."""

    def __init__(
        self,
        session_id: str,
        on_change: Callable[[str], object],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._name = printable(session_id)
        self._on_change = on_change
        self._clock = clock
        self._began = clock()
        self._states: list[str] = []

    def add(self, session: StreamingSession) -> None:
        state = printable(session.state or "UNKNOWN")
        if self._states[-1:] != [state]:
            self._states.append(state)
            self._on_change(f"{self.latest} after {self._took}")

    @property
    def latest(self) -> str:
        return ": ".join((self._name, *self._states[-1:]))

    def write(self, session: StreamingSession) -> None:
        rows = [
            ("session", self._name),
            ("states", " -> ".join(self._states) or "not read"),
            ("volumes", volumes(session)),
            ("took", self._took),
        ]
        write_rows(rows, styles={"session": "bold", "states": state_style(session.state or "")})

    @property
    def _took(self) -> str:
        return duration(self._clock() - self._began)


@contextmanager
def show_states(session_id: str, *, quiet: bool, plain: bool) -> Generator[StateHistory]:
    """Show a session's states while the caller reads it.

    In a terminal the latest one stands beside a clock; elsewhere, and if ``plain``, each is a line.
    """
    if quiet or plain or not is_terminal(sys.stderr):
        yield StateHistory(session_id, (lambda _: None) if quiet else note)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn("line"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console(sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        task = progress.add_task(printable(session_id), total=None)
        history = StateHistory(
            session_id, lambda _: progress.update(task, description=history.latest)
        )
        yield history
