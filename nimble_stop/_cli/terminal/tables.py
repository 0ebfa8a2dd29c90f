"""Sessions in tables: several with a line each, or one with a line for each of its members.

Tables fit the terminal; in a pipe they are lines for other programs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.terminal.text import (
    distance,
    moment,
    one_line,
    printable,
    state_style,
    volumes,
)
from nimble_stop._cli.terminal.writing import console, is_terminal, write, write_rich, write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from rich.table import Table

    from nimble_stop.models import StreamingSession, VolumeConfiguration

# How wide a terminal must be for each column to be worth its room.
_COLUMNS: Final = (("SESSION", 0), ("STATE", 0), ("OWNER", 50), ("INSTANCE", 65), ("CHANGED", 78))


def write_sessions(sessions: Iterable[StreamingSession], now: datetime) -> int:
    """Write sessions, one a line, and give their number.

    In a terminal the columns are those that there is room for, and ids are never cut. In a pipe
    the fields are all there, separated by tabs, and there is no heading.
    """
    if not is_terminal(sys.stdout):
        count = 0
        for session in sessions:
            count += 1
            write("\t".join((*_fields(session), _time(session))))
        return count
    width = console(sys.stdout).width
    table = _empty_table(width)
    for session in sessions:
        changed = session.updated_at or session.created_at
        cells = (*_fields(session), distance(changed, now) if changed else "")
        _add_row(table, cells[: len(table.columns)])
    if table.row_count:
        write_rich(table)
    return table.row_count


def _fields(session: StreamingSession) -> tuple[str, str, str, str]:
    return (
        printable(session.session_id or ""),
        printable(session.state or ""),
        printable(session.owned_by or ""),
        printable(session.ec2_instance_type or ""),
    )


def _time(session: StreamingSession) -> str:
    time = session.updated_at or session.created_at
    return time.isoformat() if time else ""


def _empty_table(width: int) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, least_width in _COLUMNS:
        if width >= least_width:
            table.add_column(title, overflow="fold", no_wrap=title == "STATE")
    return table


def _add_row(table: Table, cells: tuple[str, ...]) -> None:
    from rich.text import Text

    session_id, state, *others = cells
    table.add_row(session_id, Text(state, state_style(state)), *others)


def write_session(session: StreamingSession, now: datetime) -> None:
    """Write all that is known of one session, a label and a text each."""
    write_rows(
        session_rows(session, now),
        styles={"session": "bold", "state": state_style(session.state or "")},
    )


def session_rows(session: StreamingSession, now: datetime) -> Iterator[tuple[str, str]]:
    """Describe every member of a session; those that the service did not send are empty."""
    yield "session", printable(session.session_id or "not given by the service")
    yield "state", printable(session.state or "")
    yield "status", _sentence(session.status_code, session.status_message)
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


def _sentence(code: str | None, message: str | None) -> str:
    return one_line(": ".join(part for part in (code, message) if part))


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
    kept = session.max_backups_to_retain
    parts = (
        session.backup_mode,
        f"at most {kept} kept" if kept is not None else None,
        f"started from {session.started_from_backup_id}"
        if session.started_from_backup_id
        else None,
    )
    return printable(", ".join(part for part in parts if part))


def _event(time: datetime | None, person: str | None, now: datetime) -> str:
    by = f"by {printable(person)}" if person else ""
    return " ".join(part for part in (moment(time, now) if time else "", by) if part)
