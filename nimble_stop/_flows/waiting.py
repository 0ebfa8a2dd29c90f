"""Waiting until a session has stopped: which state means what, and when to poll again."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from nimble_stop._api.arguments import checked_seconds
from nimble_stop._call.steps import Sleep
from nimble_stop.exceptions import (
    DeadlineExceededError,
    NimbleStopError,
    StopFailedError,
    UnexpectedStateError,
)
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop._api.request import Request
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._call.engine import Engine
    from nimble_stop._call.steps import Steps
    from nimble_stop.models import StreamingSession

# The second poll comes soon: most waits begin right after the stop.
_FIRST_INTERVAL: Final = 0.25
_GONE: Final = frozenset({State.DELETED, State.DELETE_IN_PROGRESS})
_DEAD_ENDS: Final = _GONE | {State.CREATE_FAILED, State.DELETE_FAILED, State.START_FAILED}


def has_stopped(session: StreamingSession) -> bool:
    """Whether a session has stopped; False means that it is still being stopped.

    A ``READY`` session counts as being stopped when its own times show a stop after its last start:
    the service moves a session to ``STOP_IN_PROGRESS`` before it answers the stop, so that such a
    read is late. Any other ``READY`` session has no stop under way.

    Raises:
        StopFailedError: It is in ``STOP_FAILED``.
        UnexpectedStateError: It is in a state that does not lead to ``STOPPED``.
    """
    state = session.state
    if state == State.STOPPED:
        return True
    if state == State.STOP_FAILED:
        raise StopFailedError(
            f"Session {session.session_id!r} failed to stop: {_reason(session)}", session=session
        )
    if state in _DEAD_ENDS or (state == State.READY and not _stop_requested(session)):
        raise UnexpectedStateError(
            f"Session {session.session_id!r} is {state} and will not become STOPPED"
            f"{': no stop is under way' if state == State.READY else ''}.",
            session=session,
        )
    return False


def check_stays_stopped(session: StreamingSession) -> None:
    """Raise an error if a session that an earlier run stopped failed to, or was started again."""
    state = session.state
    if state == State.START_IN_PROGRESS or (state == State.READY and not _stop_requested(session)):
        raise UnexpectedStateError(
            f"Session {session.session_id!r} is {state}: it was started again after an earlier run "
            "with this run id had stopped it. Nothing was stopped now; use a new run id.",
            session=session,
        )
    if state not in _GONE:
        has_stopped(session)


def _reason(session: StreamingSession) -> str:
    message, code = session.status_message, session.status_code
    if message and code:
        return f"{message.rstrip('.')} (status code {code})"
    return message or code or "no reason given"


def _stop_requested(session: StreamingSession) -> bool:
    if session.stopped_at is None:
        return False
    return session.started_at is None or session.started_at < session.stopped_at


def poll_delay(poll: int, poll_interval: float, random: Callable[[], float]) -> float:
    """Give the seconds until the next poll: doubling up to the interval, half of it at random.

    ``poll`` is how many polls there have been, from 1. Chance keeps many waits from polling at the
    same moments.
    """
    delay: float = min(_FIRST_INTERVAL * 2 ** min(poll - 1, 16), poll_interval)
    return delay * (1 + random()) / 2


def wait_until_stopped(
    engine: Engine,
    request: Request[StreamingSession],
    limit: Deadline,
    poll_interval: float,
    on_poll: Callable[[StreamingSession], object] | None,
) -> Steps[StreamingSession]:
    """Poll a session until it has stopped.

    A failure that can pass, such as throttling or an outage, ends one poll and not the wait.
    """
    interval = checked_seconds("poll_interval", poll_interval)
    attributes = {"studio_id": request.studio_id or "", "session_id": request.session_id or ""}
    activity = engine.begin("wait_until_stopped", attributes)
    session: StreamingSession | None = None
    failure: NimbleStopError | None = None
    polls = 0
    with activity.whole() if activity else nullcontext():
        while limit.remaining > 0:
            polls += 1
            try:
                session = yield from engine.call(request, limit)
            except NimbleStopError as error:
                if error.retryable is not True:
                    raise
                failure = error
            else:
                failure = None
                if on_poll is not None:
                    on_poll(session)
                if has_stopped(session):
                    return session
            delay = poll_delay(polls, interval, engine.runtime.random)
            yield Sleep(max(0.0, min(delay, limit.remaining)))
        raise deadline_exceeded(limit, session, failure)


def deadline_exceeded(
    limit: Deadline, session: StreamingSession | None, failure: NimbleStopError | None = None
) -> DeadlineExceededError:
    """Make the error of a wait that took too long, with what was last known."""
    known = f"It was {session.state} when last read." if session else "It was never read."
    error = DeadlineExceededError(
        f"{limit} is over and the session has not stopped. {known}", session=session
    )
    error.__cause__ = failure
    return error
