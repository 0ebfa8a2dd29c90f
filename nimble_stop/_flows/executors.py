"""Bulk stops in an executor of the caller's, such as a process pool or Dask's.

Sessions are submitted in batches, because submitting one costs more than stopping a session. A
batch whose worker failed is submitted again: the client tokens make that safe.
"""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import CancelledError, Executor, Future
from itertools import islice
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import attrs

from nimble_stop._api.arguments import checked_iterator
from nimble_stop._api.operations import STOP_STREAMING_SESSION
from nimble_stop._call.observer import begin
from nimble_stop._flows.results import StopResult, invalid_id
from nimble_stop._flows.threads import Outcomes, Runner
from nimble_stop._flows.worker import Batch, StopBatch, pack, stop_batch
from nimble_stop.exceptions import (
    ConnectionLostError,
    NimbleStopError,
    RequestValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nimble_stop._call.engine import Engine
    from nimble_stop._flows.results import BulkOptions

_logger = logging.getLogger("nimble_stop")
# At some 10 ms for submitting and 100 ms for a stop, the overhead stays below a percent.
_BATCH: Final = 25
# After that the batch, or the executor, is at fault and not a worker: it is done in this process.
_MAX_TRIES: Final = 3


@attrs.define(eq=False)
class _Task:
    """The sessions of one batch, and how often they were submitted."""

    session_ids: list[str]
    tries: int = 0


class ExecutorRunner(Runner):
    """Runs batches in an executor, as many at a time as stops may be in flight.

    Only the thread that iterates touches the tasks. An interrupt may come between any two of its
    steps: what is moved is added to its new place before it is removed from the old one, so that a
    batch may be submitted twice then, or a result given twice, and none is lost.

    Args:
        executor: Where the batches run.
        stop: Stops the sessions of a batch. In other processes a copy of it does.
        session_ids: The sessions' ids.
        options: How to stop them.
        engine: Has the clock and the observer of the client.

    Raises:
        RequestValidationError: It is no executor.
        ConfigurationError: Credentials that were passed in would have to be pickled.
    """

    def __init__(
        self,
        executor: Executor,
        stop: StopBatch,
        session_ids: Iterable[str],
        options: BulkOptions,
        engine: Engine,
    ) -> None:
        if not callable(getattr(executor, "submit", None)):
            raise RequestValidationError(
                "executor must be a concurrent.futures.Executor or None, not "
                f"{type(executor).__name__}."
            )
        self.run_id: str = options.run_id
        self.results: deque[StopResult] = deque()
        self._executor = executor
        self._stop = stop
        self._packed_stop = pack(stop, executor)
        self._options = attrs.evolve(options, began=engine.runtime.now())
        # A batch stops its sessions one after the other, so batches are what is in flight.
        self._batch_options = attrs.evolve(self._options, max_concurrency=1)
        self._ids: Iterator[str] | None = checked_iterator("session_ids", session_ids)
        self._activity = begin(engine.observer, "stop_sessions", options.attributes)
        self._parent = self._activity and self._activity.remote()
        self._cancelled = False
        self._to_do: deque[_Task] = deque()
        self._in_flight: dict[Future[list[StopResult]], _Task] = {}
        self._outcomes = Outcomes[Future[list[StopResult]]]()
        self._error: BaseException | None = None

    def advance(self) -> bool:
        """Submit what can begin and wait for a result; False when there will be none."""
        while True:
            self._outcomes.drain(self._finish)
            self._submit_tasks()
            if self.results:
                return True
            if not self._in_flight:
                return False
            self._outcomes.wait()

    def cancel(self) -> None:
        """Submit nothing more."""
        self._cancelled = True
        self._outcomes.wake()

    def cancel_pending(self) -> None:
        """Cancel the batches that no worker has started, as far as the executor knows."""
        for future in tuple(self._in_flight):
            future.cancel()

    def shutdown(self) -> None:
        """Cancel the batches that no worker has started, and wait for the others."""
        self.cancel_pending()
        while True:
            self._outcomes.drain(self._finish)
            if not self._in_flight:
                break
            self._outcomes.wait()
        activity, self._activity = self._activity, None
        if activity is not None:
            activity.end(self._error)

    def raise_error(self) -> None:
        """Raise what ended the run early."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _submit_tasks(self) -> None:
        while not self._cancelled and not self.results and self._has_room:
            if not self._to_do and not self._take_ids():
                return
            # The iterable may have cancelled the run.
            if not self._cancelled:
                self._start(self._to_do[0])
                self._to_do.popleft()
        if self._cancelled:
            self._drop_tasks()

    @property
    def _has_room(self) -> bool:
        return len(self._in_flight) < self._options.max_concurrency

    def _take_ids(self) -> bool:
        """Make a task of the next ids, if there are any."""
        if self._ids is None:
            return False
        session_ids: list[str] = []
        try:
            session_ids.extend(islice(self._ids, _BATCH))
        except BaseException as error:  # noqa: BLE001 - raised when all in flight has ended
            self._ids, self._error = None, error
        if session_ids:
            self._to_do.append(_Task(session_ids))
        return bool(session_ids)

    def _drop_tasks(self) -> None:
        """Give the results of tasks that were submitted once and will not be again."""
        self._ids = None
        while self._to_do:
            task = self._to_do[0]
            if task.tries:
                self.results.extend(self._unknown(each) for each in task.session_ids)
            self._to_do.popleft()

    def _unknown(self, session_id: str) -> StopResult:
        """Make the result of a session whose worker gave none."""
        refused = invalid_id(session_id)
        if refused is not None:
            return refused
        error = ConnectionLostError("The worker that had this session gave no answer.")
        error.operation = STOP_STREAMING_SESSION.name
        error.client_token = self._options.token(session_id)
        error.outcome_unknown = True
        return StopResult(
            session_id=session_id,
            session=None,
            error=error,
            client_token=error.client_token,
            attempts=0,
        )

    def _start(self, task: _Task) -> None:
        task.tries += 1
        future = self._submit(task) if task.tries <= _MAX_TRIES else None
        if future is None:
            batch = Batch(self._stop, task.session_ids, self._options, parent=self._activity)
            self.results.extend(stop_batch(batch))
        else:
            future.add_done_callback(self._outcomes.put)
            self._in_flight[future] = task

    def _submit(self, task: _Task) -> Future[list[StopResult]] | None:
        batch = Batch(
            self._packed_stop, task.session_ids, self._batch_options, uuid4().hex, self._parent
        )
        try:
            return self._executor.submit(stop_batch, batch)
        except Exception as error:  # noqa: BLE001 - every executor raises another one
            _logger.warning(
                "The executor takes no work, so %d sessions are stopped in this process: %s",
                len(task.session_ids),
                _describe(error),
            )
            return None

    def _finish(self, future: Future[list[StopResult]]) -> None:
        task = self._in_flight.get(future)
        # A future that is not in flight has been taken before, or its task is submitted again.
        if task is None:
            return
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None:
            self.results.extend(future.result())
        elif isinstance(error, NimbleStopError):
            # The worker could not even make a client.
            self._error = self._error or error
            self.cancel()
        else:
            self._log_failure(task, error)
            self._to_do.append(task)
        del self._in_flight[future]

    def _log_failure(self, task: _Task, error: BaseException) -> None:
        if isinstance(error, ImportError):
            what = "cannot import nimble_stop or what it needs; install it where the workers run"
        else:
            what = "failed or died"
        if self._cancelled:
            then = "it is not known whether they were stopped"
        elif task.tries < _MAX_TRIES:
            then = f"they are submitted again (try {task.tries + 1} of {_MAX_TRIES})"
        else:
            then = "they are stopped in this process"
        _logger.warning(
            "A worker with %d sessions %s (%s); %s.",
            len(task.session_ids),
            what,
            _describe(error),
            then,
        )


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
