"""Waiting until sessions have stopped: which state means what, and when to poll again.

The sessions of a bulk run are read by pages of the list. One that no page holds is read alone, and
so are all where the list is refused: the permission to list is a separate one.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Final

from nimble_stop import exceptions
from nimble_stop._api.arguments import checked_seconds
from nimble_stop._api.request import Request, get_request
from nimble_stop._call.steps import Sleep, Steps
from nimble_stop._config.options import POLL_SECONDS
from nimble_stop._flows.pages import Pages
from nimble_stop.exceptions import DeadlineExceededError, NimbleStopError
from nimble_stop.models import StreamingSession, StreamingSessionState as State

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from nimble_stop._call.deadline import Deadline
    from nimble_stop._call.engine import Engine
    from nimble_stop._flows.results import BulkOptions, Job, StopResult

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
        raise exceptions.StopFailedError(
            f"Session {session.session_id!r} failed to stop: {_reason(session)}", session=session
        )
    if state in _DEAD_ENDS or (state == State.READY and not _stop_requested(session)):
        raise exceptions.UnexpectedStateError(
            f"Session {session.session_id!r} is {state} and will not become STOPPED"
            f"{': no stop is under way' if state == State.READY else ''}.",
            session=session,
        )
    return False


def check_stays_stopped(session: StreamingSession) -> None:
    """Raise an error if a session that an earlier run stopped failed to, or was started again."""
    state = session.state
    if state == State.START_IN_PROGRESS or (state == State.READY and not _stop_requested(session)):
        raise exceptions.UnexpectedStateError(
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
    known = f"It was {session.state} when last read." if session else "It was never read."
    error = DeadlineExceededError(
        f"{limit} is over and the session has not stopped. {known}", session=session
    )
    error.__cause__ = failure
    return error


# What one poll has read, or why it cannot be read, by id. A session whose read failed for a reason
# that can pass is missing.
Polled = dict[str, StreamingSession | NimbleStopError]


class Polling:
    """The sessions of a run whose stop has begun and that are not yet ``STOPPED``."""

    def __init__(self, engine: Engine, options: BulkOptions) -> None:
        self._engine = engine
        self._options = options
        # A set that keeps its sequence.
        self.jobs: dict[Job, None] = {}
        self._polls = 0
        self._may_list = True

    def add(self, job: Job) -> None:
        """Poll the session of a job from now on, until its own deadline."""
        job.limit = self._engine.deadline(self._options.deadline)
        self.jobs[job] = None

    def poll(self) -> Steps[Polled]:
        """Read all sessions once, after a delay that grows from poll to poll."""
        self._polls += 1
        return self._poll(tuple(dict.fromkeys(job.session_id for job in self.jobs)))

    def finish(self, polled: Polled, results: deque[StopResult]) -> None:
        """Append the results of the sessions that need no further poll."""
        for job in tuple(self.jobs):
            if _has_ended(job, polled.get(job.session_id)):
                # In this order, so that an interrupt between the two loses no result.
                results.append(job.result)
                del self.jobs[job]

    def cancel(self, results: deque[StopResult]) -> None:
        """Poll no more; append the results of all sessions as they were last read."""
        results.extend(job.result for job in self.jobs)
        self.jobs.clear()

    def _poll(self, session_ids: tuple[str, ...]) -> Steps[Polled]:
        yield Sleep(poll_delay(self._polls, POLL_SECONDS, self._engine.runtime.random))
        polled: Polled = {}
        # Only a failure that can pass gets here; the next poll reads what this one has not.
        with suppress(NimbleStopError):
            yield from self._read_pages(session_ids, polled)
            for session_id in session_ids:
                if session_id not in polled:
                    # A deleted session, for example, is in no page.
                    yield from self._read_one(session_id, polled)
        return polled

    def _read_pages(self, session_ids: tuple[str, ...], polled: Polled) -> Steps[None]:
        # Commas separate the ids in a list request, so an id with one cannot be asked for there.
        listable = [session_id for session_id in session_ids if "," not in session_id]
        if not listable or not self._may_list:
            return
        filters = {"studio_id": self._options.studio_id}
        pages = Pages(self._engine, self._engine.deadline(), filters, listable)
        try:
            while not pages.exhausted:
                for session in (yield from pages.next_page()):
                    if session.session_id is not None:
                        polled[session.session_id] = session
        except NimbleStopError as error:
            if error.retryable:
                raise
            self._may_list = not isinstance(error, exceptions.AccessDeniedException)

    def _read_one(self, session_id: str, polled: Polled) -> Steps[None]:
        request = get_request(self._options.studio_id, session_id)
        try:
            polled[session_id] = yield from self._engine.call(request, self._engine.deadline())
        except NimbleStopError as error:
            if error.retryable:
                raise
            polled[session_id] = error


def _has_ended(job: Job, read: StreamingSession | NimbleStopError | None) -> bool:
    """Whether a job needs no further poll; what was read, or the reason, is put on it."""
    job.error = None
    if isinstance(read, NimbleStopError):
        job.error = read
        return True
    if read is not None:
        job.session = read
        try:
            if has_stopped(read):
                return True
        except NimbleStopError as error:
            job.error = error
            return True
    if job.limit is not None and job.limit.remaining <= 0:
        job.error = deadline_exceeded(job.limit, job.session)
        return True
    return False
