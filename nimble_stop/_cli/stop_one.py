"""Stopping one session that was named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop._cli.failures import report
from nimble_stop._cli.following import follow, wait_until_stopped, write_outcome
from nimble_stop._cli.order import explain_restart, restart_advice, resume_advice
from nimble_stop._cli.output import Output, note
from nimble_stop._cli.text import printable
from nimble_stop.exceptions import NimbleStopError, ServiceError
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from nimble_stop import NimbleClient
    from nimble_stop._cli.following import Trail
    from nimble_stop._cli.order import Order
    from nimble_stop._cli.settings import Settings
    from nimble_stop.models import StreamingSession


def stop_one(client: NimbleClient, order: Order, settings: Settings, session_id: str) -> int:
    """Stop a session, show the states it goes through, and tell what became of it."""
    try:
        with follow(session_id, settings) as trail:
            session = _stop(client, order, settings, session_id, trail)
    except KeyboardInterrupt as error:
        return report(error, settings, next_step=resume_advice(order, settings))
    except NimbleStopError as error:
        explain_restart(error, order)
        again = error.outcome_unknown or error.retryable
        return report(error, settings, next_step=resume_advice(order, settings) if again else "")
    write_outcome(session, trail, settings)
    return 0


def _stop(
    client: NimbleClient, order: Order, settings: Settings, session_id: str, trail: Trail
) -> StreamingSession:
    from nimble_stop._flows.bulk import derived_token

    before = _look(client, order, settings, session_id, trail)
    session = client.stop_session(
        order.studio_id,
        session_id,
        retention=order.retention,
        client_token=derived_token(order.run_id, order.studio_id, session_id, order.retention),
    )
    if before is not None and _is_older(session, before):
        session = before
        done = "This run had stopped it before; nothing was done twice."
        told = restart_advice(order) if before.state == State.READY else done
        note(f"{printable(session_id)}: {told}")
    else:
        trail.see(session)
    if not order.wait:
        return session
    return wait_until_stopped(client, order.studio_id, trail, settings, order.deadline)


def _look(
    client: NimbleClient, order: Order, settings: Settings, session_id: str, trail: Trail
) -> StreamingSession | None:
    """Read the session before it is stopped, because a person wants to know what it was."""
    if settings.output is not Output.TABLE:
        return None
    try:
        session = client.get_session(order.studio_id, session_id)
    except ServiceError:
        # Whoever may stop a session need not be allowed to read it.
        return None
    trail.see(session)
    return session


def _is_older(answer: StreamingSession, before: StreamingSession) -> bool:
    """Tell whether a stop was answered with what an earlier one with the same token did."""
    if before.state != State.READY:
        return True
    seen, told = before.updated_at, answer.updated_at
    return seen is not None and told is not None and told < seen
