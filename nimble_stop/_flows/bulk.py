"""Stopping many sessions: what to do next, and what came of it. No threads, no tasks, no sockets.

`BulkStop` gives work as steps and takes their outcomes; `threads` and `tasks` run the steps. It
holds the sessions that are in flight, that wait for another turn or that are polled, and no others,
so its memory does not grow with the number of ids.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop._api.arguments import checked_iterator
from nimble_stop._api.request import get_request, stop_request
from nimble_stop._call.record import CallRecord
from nimble_stop._call.steps import Sleep, Steps, within
from nimble_stop._config.retry_policy import is_throttling
from nimble_stop._flows.results import BulkOptions, Job, StopResult, invalid_id
from nimble_stop._flows.waiting import Polled, Polling, check_stays_stopped
from nimble_stop.exceptions import AccessDeniedException, ConnectionLostError, NimbleStopError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nimble_stop._call.engine import Engine
    from nimble_stop.models import StreamingSession

# How often a session that was throttled to the end of its attempts gets a new turn.
_MAX_TURNS: Final = 6
# Sessions that are polled at a time; beyond it no new stop begins.
_MAX_POLLED: Final = 1000
# Enough calls to distinguish throttling from bad luck.
_WINDOW: Final = 30
# With up to a third refused, retries cope; beyond it, fewer requests get more done.
_TOLERATED_SHARE: Final = 1 / 3
_SHRINK: Final = 0.7
# The service's times have whole seconds; the rest is for the network.
_CLOCK_TOLERANCE: Final = 1.25


class Pace:
    """How many stops may be in flight, from 1 to a maximum: fewer while the service throttles.

    Retries alone would turn throttling into waiting, with every slot taken by a call that sleeps,
    and would spend attempts that the service refuses anyway.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = float(maximum)
        self._throttled: deque[bool] = deque(maxlen=_WINDOW)

    @property
    def limit(self) -> int:
        return int(self._limit)

    def note(self, *, throttled: bool) -> None:
        self._throttled.append(throttled)
        if len(self._throttled) < _WINDOW:
            return
        if sum(self._throttled) > _WINDOW * _TOLERATED_SHARE:
            self._limit = max(1.0, self._limit * _SHRINK)
            # These calls have had their effect; the next ones are judged at the new limit.
            self._throttled.clear()
        elif not throttled:
            # One more in flight for every round of calls that went well.
            self._limit = min(float(self._maximum), self._limit + 1 / self._limit)


# What a poll has read, None after a stop, or an error that is none of ours.
Outcome = Polled | BaseException | None


@attrs.frozen(eq=False)
class Work:
    """One thing to do for a run: a turn of a job, or a poll, which has no job.

    The steps of a turn put what came of it on the job.
    """

    steps: Steps[Polled | None]
    job: Job | None

    @property
    def is_poll(self) -> bool:
        """Whether it only reads sessions, so that it may be broken off."""
        return self.job is None


class Plan:
    """What a run has still to do, and what came of it."""

    def __init__(self, engine: Engine, session_ids: Iterable[str], options: BulkOptions) -> None:
        self.run_id: str = options.run_id
        self.options = options
        self.results: deque[StopResult] = deque()
        self.cancelled = False
        self.ids: Iterator[str] | None = checked_iterator("session_ids", session_ids)
        self._error: BaseException | None = None
        attributes: dict[str, str | int] = {
            "studio_id": options.studio_id,
            "run_id": options.run_id,
            "max_concurrency": options.max_concurrency,
        }
        self.activity = engine.begin("stop_sessions", attributes)

    def take_ids(self, count: int) -> list[str]:
        """Take the next ids, fewer or none at the end."""
        session_ids: list[str] = []
        if self.ids is not None:
            try:
                session_ids.extend(islice(self.ids, count))
            except BaseException as error:  # noqa: BLE001 - raised when all in flight has ended
                self._error = error
            if len(session_ids) < count:
                self.ids = None
        return session_ids

    def cancel(self) -> None:
        """Begin nothing new. Any thread may call it at any time."""
        self.cancelled = True

    def fail(self, error: BaseException) -> None:
        """Begin nothing new, and raise the first such error when all in flight has ended."""
        self._error = self._error or error
        self.cancel()

    def end(self) -> None:
        activity, self.activity = self.activity, None
        if activity is not None:
            activity.end(self._error)

    def take(self, end: type[Exception]) -> StopResult:
        """Take the next result, or raise what ended the run: an error, once, or just its end."""
        if self.results:
            return self.results.popleft()
        error, self._error = self._error, None
        raise error or end


class BulkStop(Plan):
    """One run over many sessions.

    Ask `next_work` for work until there is none to begin now, submit it and say so to `submitted`,
    give every outcome to `finish`, and take what is in `results`, until `is_over`.

    All of it is called in one thread, but for `cancel`. An interrupt may come there between any two
    steps. So what is moved is added to its new place first and removed from the old one after that,
    and an outcome may be given again when `finish` was interrupted: then a result comes twice, and
    none is lost.
    """

    def __init__(self, engine: Engine, session_ids: Iterable[str], options: BulkOptions) -> None:
        super().__init__(engine, session_ids, options)
        self._engine = engine
        self._started = engine.runtime.now()
        self._pace = Pace(options.max_concurrency)
        self._again: deque[Job] = deque()
        self._polling = Polling(engine, options)
        self._stops: set[Work] = set()
        self._poll: Work | None = None

    @property
    def running(self) -> int:
        return len(self._stops) + (self._poll is not None)

    @property
    def is_over(self) -> bool:
        """Whether no further result will come."""
        return self.ids is None and not (self._stops or self._again or self._polling.jobs)

    def next_work(self) -> Work | None:
        """Give the next work, or None when there is none to begin now."""
        if self.cancelled:
            self._drop_waiting()
            return None
        if self._poll is None and self._polling.jobs:
            return Work(within(self.activity, self._polling.poll()), job=None)
        if len(self._stops) >= self._pace.limit:
            return None
        job = self._next_job()
        if job is None or self.cancelled:
            return None
        return Work(within(self.activity, self._turn(job)), job)

    def submitted(self, work: Work) -> None:
        """Take note that the work which `next_work` gave is in flight."""
        if work.job is None:
            self._poll = work
            return
        self._stops.add(work)
        if self._again and self._again[0] is work.job:
            self._again.popleft()

    def finish(self, work: Work, outcome: Outcome) -> None:
        """Take the outcome of work: what its steps returned or raised."""
        if isinstance(outcome, BaseException):
            # Not an error of ours, such as one in a function that the caller passed in.
            self.break_off(work, outcome)
            self.fail(outcome)
        elif work.job is None:
            self._polling.finish(outcome or {}, self.results)
        else:
            self._finish_turn(work.job)
        self._discard(work)

    def break_off(self, work: Work, reason: BaseException) -> None:
        """Give the result of a stop that ended without an answer; a poll has none."""
        if work.job is not None:
            error = ConnectionLostError(
                f"The stop was broken off before its answer came: {type(reason).__name__}."
            )
            error.__cause__ = reason
            work.job.record.write_into(error)
            work.job.error = error
            self.results.append(work.job.result)
        self._discard(work)

    def _discard(self, work: Work) -> None:
        self._stops.discard(work)
        if self._poll is work:
            self._poll = None

    def _drop_waiting(self) -> None:
        """Give the results of what is not in flight, as far as they are known."""
        self.ids = None
        self._polling.cancel(self.results)
        self.results.extend(job.result for job in self._again)
        self._again.clear()

    def _next_job(self) -> Job | None:
        if self._again:
            return self._again[0]
        # An id that became a result at once is given to the caller before the next one is taken.
        if self.results or len(self._polling.jobs) >= _MAX_POLLED:
            return None
        for session_id in self.take_ids(1):
            refused = invalid_id(session_id)
            if refused is None:
                return Job(session_id, self.options.token(session_id))
            self.results.append(refused)
        return None

    def _turn(self, job: Job) -> Steps[None]:
        record = CallRecord()
        try:
            yield from self._stop(job, record)
        except NimbleStopError as error:
            job.error = error
        except BaseException:
            record.outcome_unknown |= record.attempts > 0
            raise
        finally:
            job.record = record.after(job.record)

    def _stop(self, job: Job, record: CallRecord) -> Steps[None]:
        engine, options = self._engine, self.options
        if job.turns and job.error is not None:
            delay = engine.policy.delay(job.turns, job.error, engine.runtime.random)
            yield Sleep(delay)
            record.waited = delay
        studio_id, new_token = options.studio_id, engine.runtime.new_id
        request = stop_request(
            studio_id, job.session_id, options.retention, job.client_token, new_token
        )
        session = yield from engine.call(request, engine.deadline(), record)
        repeated = self._is_repeated(session)
        failure: NimbleStopError | None = None
        if repeated and not options.wait:
            # The answer is an old one: the session may have been started again since.
            try:
                request = get_request(studio_id, job.session_id)
                session = yield from engine.call(request, engine.deadline())
                check_stays_stopped(session)
            except NimbleStopError as error:
                if is_throttling(error):
                    # It gets a new turn, as a stop that is throttled does.
                    raise
                # Who may stop a session need not be allowed to read it.
                failure = None if isinstance(error, AccessDeniedException) else error
        job.session, job.error, job.repeated = session, failure, repeated

    def _is_repeated(self, session: StreamingSession) -> bool:
        """Whether the answer to a stop is the one that an earlier run with the same id got."""
        if session.stopped_at is None or not self.options.may_repeat:
            return False
        moment = self._started + self._engine.skew_seconds
        if self.options.began is not None:
            # An earlier try of the same batch is no earlier run.
            moment = min(moment, self.options.began)
        return session.stopped_at.timestamp() < moment - _CLOCK_TOLERANCE

    def _finish_turn(self, job: Job) -> None:
        self._pace.note(throttled=job.record.throttled)
        job.turns += 1
        if job.session is None and job.error is not None:
            # The error is about all turns, not about the last one alone.
            job.record.write_into(job.error)
            if is_throttling(job.error) and job.turns < _MAX_TURNS and not self.cancelled:
                self._again.append(job)
                return
        elif self.options.wait and not self.cancelled:
            self._polling.add(job)
            return
        self.results.append(job.result)
