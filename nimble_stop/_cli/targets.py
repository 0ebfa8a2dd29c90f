"""Which sessions a ``stop`` is for: those named, those on standard input, or a whole studio's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.output import note
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nimble_stop import NimbleClient
    from nimble_stop._cli.order import Order
    from nimble_stop.models import StreamingSession


@attrs.frozen(kw_only=True)
class Targets:
    """The sessions to stop.

    Args:
        session_ids: Their ids, each once.
        stopping: Those of them that were being stopped already when the studio was listed.
    """

    session_ids: tuple[str, ...]
    stopping: dict[str, StreamingSession] = attrs.field(factory=dict["str", "StreamingSession"])


def find_targets(client: NimbleClient, order: Order) -> Targets:
    """Gather the sessions that an order is for.

    Raises:
        NimbleStopError: The studio's sessions cannot be listed.
    """
    if not order.everything:
        return Targets(session_ids=named_ids(order))
    sessions = [session for session in sessions_of_all(client, order) if session.session_id]
    return Targets(
        session_ids=tuple(dict.fromkeys(str(session.session_id) for session in sessions)),
        stopping={
            str(session.session_id): session
            for session in sessions
            if session.state == State.STOP_IN_PROGRESS
        },
    )


def named_ids(order: Order) -> tuple[str, ...]:
    """Give the ids that were named or come on standard input, each once, in their order."""
    return tuple(dict.fromkeys(_stdin_ids() if order.from_stdin else order.session_ids))


def sessions_of_all(client: NimbleClient, order: Order) -> Iterator[StreamingSession]:
    """Read the sessions that ``--all`` means."""
    # Only a READY session can be stopped. One that an earlier run began to stop belongs to it.
    states = order.filters.states or (
        (State.READY, State.STOP_IN_PROGRESS) if order.resumed else (State.READY,)
    )
    return attrs.evolve(order.filters, states=states).sessions(client, order.studio_id)


def _stdin_ids() -> Iterator[str]:
    """Read ids, one a line: the first field, so that a line of ``nimble-stop list`` will do."""
    if sys.stdin.isatty():
        note("Reading session ids, one a line; end with Ctrl-D.")
    for line in sys.stdin:
        session_id = line.rstrip("\r\n").partition("\t")[0]
        if session_id.strip():
            yield session_id
