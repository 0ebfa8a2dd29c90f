"""``nimble-stop list``, ``show`` and ``wait``: the commands that read sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from nimble_stop._cli import command
from nimble_stop._cli.connect import open_client, poll_seconds
from nimble_stop._cli.stopping.run import OneSession
from nimble_stop._cli.terminal.session_tables import show_states, write_session, write_sessions
from nimble_stop._cli.terminal.writing import Output, note, printable
from nimble_stop._config.options import WAIT_SECONDS

if TYPE_CHECKING:
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._cli.command import GlobalOptions


@click.command(
    "list",
    cls=command.Command,
    examples=(
        "nimble-stop list studio-1",
        "nimble-stop list studio-1 --state READY --tag department=lighting",
        "nimble-stop list studio-1 | cut -f1",
    ),
)
@click.argument("studio_id")
@command.filter_options
@command.requests_deadline_option
@click.pass_obj
def list_(
    shared: GlobalOptions,
    /,
    studio_id: str,
    deadline: Deadline | None,
    **filters: Any,  # noqa: ANN401  # those of `Filters`
) -> None:
    """List a studio's sessions.

    In a pipe each session is one line, its fields separated by tabs: id, state, owner, instance
    type, time of the last change.
    """
    chosen = command.Filters(**filters)
    with open_client(shared, deadline=deadline) as client:
        sessions = filter(chosen.fit, chosen.list_sessions(client, studio_id))
        count = write_sessions(sessions, shared.output, datetime.now(UTC))
    if not count and shared.output is Output.TABLE:
        note(f"No sessions in {printable(studio_id)}{chosen}.")


@click.command(
    cls=command.Command,
    examples=(
        "nimble-stop show studio-1 session-1",
        "nimble-stop show studio-1 session-1 --output json",
        "nimble-stop show --local demo-studio artist-1",
    ),
)
@click.argument("studio_id")
@click.argument("session_id")
@command.requests_deadline_option
@click.pass_obj
def show(shared: GlobalOptions, studio_id: str, session_id: str, deadline: Deadline | None) -> None:
    """Show a session."""
    with open_client(shared, deadline=deadline) as client:
        session = client.get_session(studio_id, session_id)
    write_session(session, shared.output, datetime.now(UTC))


@click.command(
    cls=command.Command,
    examples=(
        "nimble-stop wait studio-1 session-1",
        "nimble-stop wait studio-1 session-1 --deadline 60",
    ),
)
@click.argument("studio_id")
@click.argument("session_id")
@command.deadline_option(f"How long to wait.  [default: {WAIT_SECONDS:.0f}]", WAIT_SECONDS)
@command.quiet_option
@click.pass_obj
def wait(
    shared: GlobalOptions, studio_id: str, session_id: str, *, deadline: Deadline, quiet: bool
) -> None:
    """Wait until a session that is being stopped has stopped.

    Ends at once, with an error, when the session is in a state that does not lead to STOPPED.
    """
    with (
        open_client(shared, deadline=deadline) as client,
        show_states(session_id, shared.output, quiet=quiet, plain=shared.debug) as history,
    ):
        waiting = OneSession(client, studio_id, session_id, history.add)
        # A wait outlasts outages, but not an endpoint that cannot be reached from the beginning.
        known = waiting.read_if_allowed()
        if known is not None:
            history.add(known)
        waiting.wait_until_stopped(deadline, poll_seconds(shared), known)
