"""``nimble-stop show``: one session, with all that the service says about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from nimble_stop._cli.command import command
from nimble_stop._cli.connect import open_client
from nimble_stop._cli.parameters import requests_deadline_option
from nimble_stop._cli.terminal.documents import session_document
from nimble_stop._cli.terminal.tables import write_session
from nimble_stop._cli.terminal.writing import Output, write_json

if TYPE_CHECKING:
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._cli.global_options import GlobalOptions


@command(
    "show",
    examples=(
        "nimble-stop show studio-1 session-1",
        "nimble-stop show studio-1 session-1 --output json",
        "nimble-stop show --local demo-studio artist-1",
    ),
)
@click.argument("studio_id")
@click.argument("session_id")
@requests_deadline_option
def show(shared: GlobalOptions, studio_id: str, session_id: str, deadline: Deadline | None) -> int:
    """Show a session."""
    with open_client(shared, deadline=deadline) as client:
        session = client.get_session(studio_id, session_id)
    if shared.output is not Output.TABLE:
        write_json(session_document(session), shared.output)
    else:
        write_session(session, datetime.now(UTC))
    return 0
