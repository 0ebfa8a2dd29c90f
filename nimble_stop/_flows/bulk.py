"""Stopping many sessions: what to do next, and what came of it. No threads, no tasks, no sockets.

`BulkStop` hands out work as steps and takes their outcomes; `_stop_run` and the async client run
them. It holds the sessions that are in flight or being waited for and nothing else, so its memory
does not grow with the number of ids.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop._api.arguments import (
    checked_count,
    checked_id,
    checked_iterator,
    checked_retention,
    checked_text,
)
from nimble_stop._api.request import stop_request
from nimble_stop._call.record import CallRecord
from nimble_stop._call.steps import Sleep
from nimble_stop._config.options import POLL_SECONDS, WAIT_SECONDS
from nimble_stop._config.retry_policy import is_throttling
from nimble_stop._flows.pace import Pace
from nimble_stop._flows.polling import Looked, look_at_sessions
from nimble_stop._flows.waiting import deadline_exceeded, has_stopped, poll_delay
from nimble_stop.exceptions import NimbleStopError, RequestValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nimble_stop._call.deadline import Deadline
    from nimble_stop._call.engine import Engine
    from nimble_stop._call.steps import Steps
    from nimble_stop._config.runtime import Runtime
    from nimble_stop.models import StreamingSession, VolumeRetentionMode

# How often a session that was throttled to the end of its attempts gets a new turn.
_MAX_TURNS: Final = 6
# Sessions whose stop has begun and that are waited for; beyond it no new stop begins.
_MAX_WAITING: Final = 1000
# The service's times have whole seconds; the rest is for the network.
_CLOCK_TOLERANCE: Final = 1.25


@attrs.frozen(kw_only=True)
class StopResult:
    """What became of one session of several.

    Args:
        session_id: The session's id.
        session: The session as it was last read; None when it was not.
        error: Why it was not stopped, or None.
        client_token: The idempotency token, derived from run id, studio, session and retention;
            None when the id is invalid.
        attempts: How many requests its stop took.
        repeated: Whether the service gave the answer of an earlier run with the same run id, so
            that this run changed nothing.
    """

    session_id: str
    session: StreamingSession | None
    error: NimbleStopError | None
    client_token: str | None
    attempts: int
    repeated: bool = False


def derived_token(run_id: str, studio_id: str, session_id: str, retention: str | None) -> str:
    """Derive the client token of one session in a run: the same for the same four values."""
    origin = json.dumps([run_id, studio_id, session_id, retention])
    return hashlib.sha256(origin.encode()).hexdigest()


def stopped_before(moment: float, session: StreamingSession) -> bool:
    """Tell whether a stop's answer tells of a stop that began before a run did.

    Args:
        moment: When the run began, in seconds since 1970.
        session: The session as the service answered.
    """
    stopped_at = session.stopped_at
    return stopped_at is not None and stopped_at.timestamp() < moment - _CLOCK_TOLERANCE


@attrs.define(eq=False)
class _Job:
    """One session on its way through a run."""

    session_id: str
    client_token: str
    turns: int = 0
    record: CallRecord = attrs.field(factory=CallRecord)
    session: StreamingSession | None = None
    error: NimbleStopError | None = None
    repeated: bool = False
    limit: Deadline | None = None

    @property
    def result(self) -> StopResult:
        return StopResult(
            session_id=self.session_id,
            session=self.session,
            error=self.error,
            client_token=self.client_token,
            attempts=self.record.attempts,
            repeated=self.repeated,
        )


@attrs.frozen(eq=False)
class _Stopped:
    """The outcome of a stop's steps."""

    job: _Job
    record: CallRecord
    result: StreamingSession | NimbleStopError


Outcome = _Stopped | Looked


@attrs.frozen(kw_only=True)
class BulkOptions:
    """How sessions are to be stopped; the clients' methods say what each one means."""

    studio_id: str
    retention: VolumeRetentionMode | str | None
    run_id: str
    max_concurrency: int
    wait: bool
    deadline: float = WAIT_SECONDS

    def __attrs_post_init__(self) -> None:
        checked_id("studio_id", self.studio_id)
        checked_retention(self.retention)
        checked_text("run_id", self.run_id)
        checked_count("max_concurrency", self.max_concurrency)


def bulk_options(
    runtime: Runtime,
    studio_id: str,
    *,
    retention: VolumeRetentionMode | str | None,
    run_id: str | None,
    max_concurrency: int,
    wait: bool,
) -> BulkOptions:
    """Check a run's options, and name the run when the caller does not."""
    return BulkOptions(
        studio_id=studio_id,
        retention=retention,
        run_id=runtime.new_id() if run_id is None else run_id,
        max_concurrency=max_concurrency,
        wait=wait,
    )


@attrs.frozen(eq=False)
class Work:
    """Something to do for a run.

    Args:
        steps: How.
        job: Whose stop it is; None when it only looks at sessions.
    """

    steps: Steps[Outcome]
    job: _Job | None

    @property
    def is_look(self) -> bool:
        """Whether it only looks at sessions, so that it may be broken off."""
        return self.job is None


class BulkStop:
    """One run over many sessions.

    Ask `next_work` for work until there is none to begin now, say of each that it has `begun`,
    hand every outcome to `finish`, and take what is in `results`, until `is_over`.

    Whoever begins work may be interrupted between any two steps. Only what has begun is counted,
    so nothing is waited for that nobody does.
    """

    def __init__(self, engine: Engine, session_ids: Iterable[str], options: BulkOptions) -> None:
        self.run_id: str = options.run_id
        self.results: deque[StopResult] = deque()
        self._engine = engine
        self._options = options
        self._started = engine.runtime.now()
        self._pace = Pace(options.max_concurrency)
        self._ids: Iterator[str] | None = checked_iterator("session_ids", session_ids)
        self._again: deque[_Job] = deque()
        self._waiting: dict[str, list[_Job]] = {}
        self._stopping: set[Work] = set()
        self._looking: Work | None = None
        self._looks = 0
        self._cancelled = False
        self._feed_error: BaseException | None = None

    @property
    def running(self) -> int:
        """How much work has begun and not ended."""
        return len(self._stopping) + (self._looking is not None)

    @property
    def is_over(self) -> bool:
        """Whether no further result will come."""
        return self._ids is None and not (self._stopping or self._waiting or self._again)

    def cancel(self) -> None:
        """Begin nothing new; report the sessions that are only being waited for as they are."""
        self._ids, self._cancelled = None, True
        for job in (*self._again, *(job for jobs in self._waiting.values() for job in jobs)):
            self.results.append(job.result)
        self._again.clear()
        self._waiting.clear()

    def next_work(self) -> Work | None:
        """Give the next work, or None when there is none to begin now."""
        if self._waiting and self._looking is None:
            self._looks += 1
            return Work(self._look(tuple(self._waiting)), job=None)
        if len(self._stopping) >= self._pace.limit:
            return None
        job = self._next_job()
        return None if job is None else Work(self._stop(job), job)

    def begun(self, work: Work) -> None:
        """Take note that somebody does the work that `next_work` gave."""
        if work.job is None:
            self._looking = work
            return
        self._stopping.add(work)
        if self._again and self._again[0] is work.job:
            self._again.popleft()

    def finish(self, work: Work, outcome: Outcome | BaseException) -> None:
        """Take the outcome of work: what its steps returned or raised."""
        self._stopping.discard(work)
        if self._looking is work:
            self._looking = None
        if isinstance(outcome, Looked):
            self._finish_look(outcome)
        elif isinstance(outcome, _Stopped):
            self._finish_stop(outcome)
        elif not self._cancelled:
            # Not an error of ours, such as one in a function that the caller passed in.
            self.cancel()
            self._feed_error = outcome

    def raise_feed_error(self) -> None:
        """Raise what ended the run early, such as an error of the iterable itself."""
        error, self._feed_error = self._feed_error, None
        if error is not None:
            raise error

    def _next_job(self) -> _Job | None:
        if self._again:
            return self._again[0]
        # An id that became a result at once has its turn before the next one is taken.
        while not self.results and self._ids is not None and len(self._waiting) < _MAX_WAITING:
            try:
                session_id = next(self._ids)
            except StopIteration:
                self._ids = None
            except BaseException as error:  # noqa: BLE001 - raised when all that began has ended
                self._ids, self._feed_error = None, error
            else:
                job = self._make_job(session_id)
                if job is not None:
                    return job
        return None

    def _make_job(self, session_id: str) -> _Job | None:
        options = self._options
        try:
            checked_id("session_id", session_id)
        except RequestValidationError as error:
            self.results.append(
                StopResult(
                    session_id=session_id, session=None, error=error, client_token=None, attempts=0
                )
            )
            return None
        return _Job(
            session_id,
            derived_token(options.run_id, options.studio_id, session_id, options.retention),
        )

    def _stop(self, job: _Job) -> Steps[Outcome]:
        record = CallRecord()
        if job.turns and job.error is not None:
            delay = self._engine.policy.delay(job.turns, job.error, self._engine.runtime.random)
            yield Sleep(delay)
            record.waited = delay
        request = stop_request(
            self._options.studio_id,
            job.session_id,
            retention=self._options.retention,
            client_token=job.client_token,
            new_token=self._engine.runtime.new_id,
        )
        try:
            session = yield from self._engine.call(request, self._engine.deadline(), record)
        except NimbleStopError as error:
            return _Stopped(job, record, error)
        return _Stopped(job, record, session)

    def _finish_stop(self, outcome: _Stopped) -> None:
        job, result = outcome.job, outcome.result
        self._pace.note(throttled=outcome.record.throttled)
        job.turns += 1
        job.record = outcome.record.after(job.record)
        if isinstance(result, NimbleStopError):
            job.error = result
            # It tells of all turns, not of the last one alone.
            job.record.write_into(result)
            if is_throttling(result) and job.turns < _MAX_TURNS and not self._cancelled:
                self._again.append(job)
                return
        else:
            job.session, job.error = result, None
            began = self._started + self._engine.skew_seconds
            job.repeated = stopped_before(began, result)
            if self._options.wait and not self._cancelled:
                job.limit = self._engine.deadline(self._options.deadline)
                self._waiting.setdefault(job.session_id, []).append(job)
                return
        self.results.append(job.result)

    def _look(self, session_ids: tuple[str, ...]) -> Steps[Outcome]:
        yield Sleep(poll_delay(self._looks, POLL_SECONDS, self._engine.runtime.random))
        return (yield from look_at_sessions(self._engine, self._options.studio_id, session_ids))

    def _finish_look(self, outcome: Looked) -> None:
        for session_id, jobs in tuple(self._waiting.items()):
            session = outcome.sessions.get(session_id)
            error = outcome.errors.get(session_id, outcome.failure)
            for job in tuple(jobs):
                job.session = session or job.session
                job.error = error
                if error is not None or self._has_ended(job, seen=session is not None):
                    jobs.remove(job)
                    self.results.append(job.result)
            if not jobs:
                del self._waiting[session_id]

    def _has_ended(self, job: _Job, *, seen: bool) -> bool:
        """Tell whether there is nothing more to wait for; put the reason on the job."""
        try:
            if seen and job.session is not None and has_stopped(job.session):
                return True
        except NimbleStopError as error:
            job.error = error
            return True
        if job.limit is not None and job.limit.remaining <= 0:
            job.error = deadline_exceeded(job.limit, job.session)
            return True
        return False
