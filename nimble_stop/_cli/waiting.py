"""``nimble-stop wait``: until a session has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nimble_stop._cli.command import command
from nimble_stop._cli.connection import open_client, poll_options
from nimble_stop._cli.following import follow, write_outcome
from nimble_stop._defaults import WAIT_SECONDS

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
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    default=WAIT_SECONDS,
    metavar="SECONDS",
    help=f"How long to wait.  [default: {WAIT_SECONDS:.0f}]",
)
def wait(settings: Settings, studio_id: str, session_id: str, deadline: float) -> int:
    """Wait until a session that is being stopped has stopped.

    Ends at once, with an error, when the session is in a state that does not lead to STOPPED.
    """
    with open_client(settings) as client, follow(session_id, settings) as trail:
        session = client.wait_until_stopped(
            studio_id,
            session_id,
            deadline=deadline,
            on_poll=trail.see,
            **poll_options(settings),
        )
    write_outcome(session, session_id, trail, settings)
    return 0
