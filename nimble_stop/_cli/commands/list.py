"""``nimble-stop list``: the sessions of a studio."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from nimble_stop._cli.command import command
from nimble_stop._cli.connect import open_client
from nimble_stop._cli.filters import Filters, filter_options
from nimble_stop._cli.parameters import requests_deadline_option
from nimble_stop._cli.terminal.documents import session_document
from nimble_stop._cli.terminal.tables import write_sessions
from nimble_stop._cli.terminal.text import printable
from nimble_stop._cli.terminal.writing import Output, json_writer, note

if TYPE_CHECKING:
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._cli.global_options import GlobalOptions


@command(
    "list",
    examples=(
        "nimble-stop list studio-1",
        "nimble-stop list studio-1 --state READY --tag department=lighting",
        "nimble-stop list studio-1 | cut -f1",
    ),
)
@click.argument("studio_id")
@filter_options
@requests_deadline_option
def list_(
    shared: GlobalOptions,
    studio_id: str,
    deadline: Deadline | None,
    **filters: tuple[str, ...] | str | None,
) -> int:
    """List a studio's sessions.

    In a pipe each session is one line, its fields separated by tabs: id, state, owner, instance
    type, time of the last change.
    """
    chosen = Filters.from_options(filters)
    with open_client(shared, deadline=deadline) as client:
        sessions = chosen.sessions(client, studio_id)
        if shared.output is not Output.TABLE:
            with json_writer(shared.output) as write_object:
                for session in sessions:
                    write_object(session_document(session))
        elif not write_sessions(sessions, datetime.now(UTC)):
            note(f"No sessions in {printable(studio_id)}{chosen}.")
    return 0
