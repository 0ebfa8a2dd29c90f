"""``stop --dry-run``: what would be stopped, without stopping it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nimble_stop._cli.failures import ExitCode
from nimble_stop._cli.output import Output, folded, json_writer, note
from nimble_stop._cli.table import write_sessions
from nimble_stop._cli.targets import named_ids, sessions_of_all
from nimble_stop._cli.text import counted, printable
from nimble_stop.exceptions import ResourceNotFoundException
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nimble_stop import NimbleClient
    from nimble_stop._cli.order import Order
    from nimble_stop._cli.settings import Settings
    from nimble_stop.models import StreamingSession


def rehearse(client: NimbleClient, order: Order, settings: Settings) -> ExitCode:
    """Show the sessions that an order is for, and tell those that could not be stopped."""
    ids = () if order.everything else named_ids(order)
    if order.everything:
        sessions = list(sessions_of_all(client, order))
    else:
        sessions = list(_sessions_named(client, order.studio_id, ids))
    if settings.output is Output.TABLE:
        write_sessions(sessions, datetime.now(UTC))
    else:
        with json_writer(settings.output) as write_object:
            for session in sessions:
                write_object(session.to_dict())
    problems = list(_problems(ids, sessions, order))
    for problem in problems:
        note(folded(printable(problem)))
    stoppable = counted(len(sessions) + len(_missing(ids, sessions)) - len(problems), "session")
    volumes = f" with --retention {order.retention}" if order.retention else ""
    note(folded(f"Dry run: {stoppable} would be stopped{volumes}; nothing was."))
    return ExitCode.SOME_FAILED if problems else ExitCode.OK


def _sessions_named(
    client: NimbleClient, studio_id: str, ids: Sequence[str]
) -> Iterator[StreamingSession]:
    if len(ids) == 1:
        yield client.get_session(studio_id, ids[0])
        return
    # Commas separate the ids in a list request.
    listable = [session_id for session_id in ids if "," not in session_id]
    if listable:
        yield from client.list_sessions(studio_id, session_ids=listable)
    for session_id in ids:
        if "," in session_id:
            try:
                yield client.get_session(studio_id, session_id)
            except ResourceNotFoundException:
                continue


def _missing(ids: Sequence[str], sessions: Sequence[StreamingSession]) -> list[str]:
    found = {session.session_id for session in sessions}
    return [session_id for session_id in ids if session_id not in found]


def _problems(
    ids: Sequence[str], sessions: Sequence[StreamingSession], order: Order
) -> Iterator[str]:
    """Say which sessions would not be stopped, and why."""
    for session_id in _missing(ids, sessions):
        yield f"{session_id}: there is no such session"
    for session in sessions:
        own = order.resumed and session.state == State.STOP_IN_PROGRESS
        if session.state != State.READY and not own:
            yield f"{session.session_id}: a stop would be refused, because it is {session.state}"
