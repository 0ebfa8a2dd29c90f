"""``nimble-stop wait``: wait until a session has stopped."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from nimble_stop._cli.command import command
from nimble_stop._cli.connect import open_client, poll_seconds
from nimble_stop._cli.parameters import deadline_option, quiet_option
from nimble_stop._cli.stopping.single import wait_until_stopped
from nimble_stop._cli.terminal.documents import session_document
from nimble_stop._cli.terminal.states import show_states, write_states
from nimble_stop._cli.terminal.writing import Output, write_json
from nimble_stop._config.options import WAIT_SECONDS
from nimble_stop.exceptions import ServiceError

if TYPE_CHECKING:
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._cli.global_options import GlobalOptions


@command(
    "wait",
    examples=(
        "nimble-stop wait studio-1 session-1",
        "nimble-stop wait studio-1 session-1 --deadline 60",
    ),
)
@click.argument("studio_id")
@click.argument("session_id")
@deadline_option(f"How long to wait.  [default: {WAIT_SECONDS:.0f}]", WAIT_SECONDS)
@quiet_option
def wait(
    shared: GlobalOptions, studio_id: str, session_id: str, *, deadline: Deadline, quiet: bool
) -> int:
    """Wait until a session that is being stopped has stopped.

    Ends at once, with an error, when the session is in a state that does not lead to STOPPED.
    """
    programs = shared.output is not Output.TABLE
    with (
        open_client(shared, deadline=deadline) as client,
        show_states(session_id, quiet=quiet or programs, plain=shared.debug) as history,
    ):
        session = None
        # A wait outlasts outages, but not an endpoint that cannot be reached from the beginning.
        with suppress(ServiceError):
            session = client.get_session(studio_id, session_id)
            history.add(session)
        session = wait_until_stopped(
            client,
            studio_id,
            session_id,
            deadline=deadline,
            poll_seconds=poll_seconds(shared),
            on_read=history.add,
            known=session,
        )
    if programs:
        write_json(session_document(session), shared.output)
    elif not quiet:
        write_states(history, session)
    return 0
