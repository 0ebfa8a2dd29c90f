"""Sessions as a table that fits the terminal, or in a pipe as lines for other programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.following import state_style
from nimble_stop._cli.output import console, is_terminal, write, write_rich
from nimble_stop._cli.text import distance, printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rich.table import Table

    from nimble_stop.models import StreamingSession

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
