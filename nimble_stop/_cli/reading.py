"""``nimble-stop list``, ``show`` and ``wait``: looking, without changing anything."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from nimble_stop._cli.command import command
from nimble_stop._cli.connection import open_client
from nimble_stop._cli.following import follow, wait_until_stopped, write_outcome
from nimble_stop._cli.options import deadline_option
from nimble_stop._cli.output import Output, json_writer, note, write_json
from nimble_stop._cli.selection import Filters, filter_options
from nimble_stop._cli.table import write_session, write_sessions
from nimble_stop._cli.text import printable
from nimble_stop._config.options import DEADLINE_SECONDS, WAIT_SECONDS
from nimble_stop.exceptions import ServiceError

if TYPE_CHECKING:
    from nimble_stop._cli.settings import Settings

_deadline_option = deadline_option(
    f"How long the requests may take in all.  [default: {DEADLINE_SECONDS:.0f}]"
)


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
@_deadline_option
def show(settings: Settings, studio_id: str, session_id: str, deadline: float | None) -> int:
    """Show a session."""
    with open_client(settings, deadline=deadline) as client:
        session = client.get_session(studio_id, session_id)
    if settings.output is not Output.TABLE:
        write_json(session.to_dict(), settings.output)
    else:
        write_session(session, datetime.now(UTC))
    return 0


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
@_deadline_option
def list_(
    settings: Settings,
    studio_id: str,
    deadline: float | None,
    **filters: tuple[str, ...] | str | None,
) -> int:
    """List a studio's sessions.

    In a pipe each session is one line, its fields separated by tabs: id, state, owner, instance
    type, time of the last change.
    """
    chosen = Filters.from_options(filters)
    with open_client(settings, deadline=deadline) as client:
        sessions = chosen.sessions(client, studio_id)
        if settings.output is not Output.TABLE:
            with json_writer(settings.output) as write_object:
                for session in sessions:
                    write_object(session.to_dict())
        elif not write_sessions(sessions, datetime.now(UTC)):
            note(f"No sessions in {printable(studio_id)}{chosen}.")
    return 0


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
