"""``nimble-stop wait``: until a session has stopped."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from nimble_stop._cli.command import command
from nimble_stop._cli.connection import open_client
from nimble_stop._cli.following import follow, wait_until_stopped, write_outcome
from nimble_stop._cli.options import deadline_option
from nimble_stop._defaults import WAIT_SECONDS
from nimble_stop.exceptions import ServiceError

if TYPE_CHECKING:
    from nimble_stop._cli.settings import Settings


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
def wait(settings: Settings, studio_id: str, session_id: str, deadline: float) -> int:
    """Wait until a session that is being stopped has stopped.

    Ends at once, with an error, when the session is in a state that does not lead to STOPPED.
    """
    with (
        open_client(settings, deadline=deadline) as client,
        follow(session_id, settings) as trail,
    ):
        # A wait outlasts outages. An endpoint that cannot be reached from the beginning is told.
        with suppress(ServiceError):
            trail.see(client.get_session(studio_id, session_id))
        session = wait_until_stopped(client, studio_id, trail, settings, deadline)
    write_outcome(session, trail, settings)
    return 0
