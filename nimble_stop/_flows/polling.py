"""Polling the sessions of a bulk run until they have stopped.

Sessions are read by pages of the list. One that no page holds is read alone, and so are all where
the list is refused: the permission to list is a separate one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from nimble_stop._api.request import get_request
from nimble_stop._call.steps import Sleep
from nimble_stop._config.options import POLL_SECONDS
from nimble_stop._flows.pages import Pages
from nimble_stop._flows.waiting import deadline_exceeded, has_stopped, poll_delay
from nimble_stop.exceptions import AccessDeniedException, NimbleStopError
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from collections import deque

    from nimble_stop._call.engine import Engine
    from nimble_stop._call.steps import Steps
    from nimble_stop._flows.results import BulkOptions, Job, StopResult

# Sessions that are polled at a time; beyond it no new stop begins.
_MAX_POLLED: Final = 1000


# What one poll has read, or why it cannot be read, by id. A session whose read failed for a reason
# that can pass is missing.
Polled = dict[str, StreamingSession | NimbleStopError]


class Polling:
    """The sessions of a run whose stop has begun and that are not yet ``STOPPED``."""

    def __init__(self, engine: Engine, options: BulkOptions) -> None:
        self._engine = engine
        self._options = options
        self._jobs: dict[str, list[Job]] = {}
        self._polls = 0
        self._may_list = True

    @property
    def is_empty(self) -> bool:
        return not self._jobs

    @property
    def has_room(self) -> bool:
        return len(self._jobs) < _MAX_POLLED

    def add(self, job: Job) -> None:
        """Poll the session of a job from now on, until its own deadline."""
        job.limit = self._engine.deadline(self._options.deadline)
        self._jobs.setdefault(job.session_id, []).append(job)

    def poll(self) -> Steps[Polled]:
        """Read all sessions once, after a delay that grows from poll to poll."""
        self._polls += 1
        return self._poll(tuple(self._jobs))

    def finish(self, polled: Polled, results: deque[StopResult]) -> None:
        """Append the results of the sessions that need no further poll."""
        for session_id, jobs in tuple(self._jobs.items()):
            for job in tuple(jobs):
                if _has_ended(job, polled.get(session_id)):
                    # In this order, so that an interrupt between the two loses no result.
                    results.append(job.result)
                    jobs.remove(job)
            if not jobs:
                del self._jobs[session_id]

    def cancel(self, results: deque[StopResult]) -> None:
        """Poll no more; append the results of all sessions as they were last read."""
        results.extend(job.result for jobs in self._jobs.values() for job in jobs)
        self._jobs.clear()

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
            self._may_list = not isinstance(error, AccessDeniedException)

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
