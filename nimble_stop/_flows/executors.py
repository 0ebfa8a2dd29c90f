"""Stopping many sessions in somebody else's executor, such as a process pool or Dask's.

Work goes out in batches, because handing one over costs more than stopping a session. A batch
whose worker was lost goes out again: the client tokens make that safe.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import CancelledError, Executor, Future
from itertools import islice
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import attrs

from nimble_stop._api.arguments import checked_id, checked_iterator
from nimble_stop._api.operations import STOP_STREAMING_SESSION
from nimble_stop._flows.bulk import StopResult, derived_token, stopped_before
from nimble_stop._flows.threads import Crew, StopRun
from nimble_stop._flows.worker import BatchClient, pack, stop_batch
from nimble_stop.exceptions import (
    ConnectionLostError,
    NimbleStopError,
    RequestValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nimble_stop._config.runtime import Runtime
    from nimble_stop._flows.bulk import BulkOptions

_logger = logging.getLogger("nimble_stop")
# At some 10 ms for handing work over and 100 ms for a stop, the overhead stays below a percent.
_BATCH: Final = 25
# After that the batch, or the executor, is at fault and not a worker: it is done here.
_MAX_TRIES: Final = 3


@attrs.define(eq=False)
class _Batch:
    session_ids: list[str]
    tries: int = 0


def _give_up(session_id: str, options: BulkOptions) -> StopResult:
    """Tell of a session whose worker gave no answer, and that nobody is going to try again."""
    try:
        checked_id("session_id", session_id)
    except RequestValidationError as refusal:
        return StopResult(
            session_id=session_id, session=None, error=refusal, client_token=None, attempts=0
        )
    token = derived_token(options.run_id, options.studio_id, session_id, options.retention)
    error = ConnectionLostError("The worker that had this session gave no answer.")
    error.operation, error.client_token = STOP_STREAMING_SESSION.name, token
    error.outcome_unknown = True
    return StopResult(
        session_id=session_id, session=None, error=error, client_token=token, attempts=0
    )


def executor_run(
    executor: Executor,
    client: BatchClient,
    session_ids: Iterable[str],
    options: BulkOptions,
    runtime: Runtime,
) -> StopRun:
    """Give the run that stops sessions in an executor.

    Raises:
        RequestValidationError: It is no executor.
        ConfigurationError: Credentials that were passed in would have to be pickled.
    """
    return StopRun(ExecutorCrew(executor, client, session_ids, options, started=runtime.now()))


class ExecutorCrew(Crew):
    """Runs batches in an executor, as many at a time as stops may be in flight.

    Only the thread that iterates touches the batches. An interrupt may come between any two of its
    steps: what was begun may be done or told twice then, and is never lost.
    """

    def __init__(
        self,
        executor: Executor,
        client: BatchClient,
        session_ids: Iterable[str],
        options: BulkOptions,
        *,
        started: float,
    ) -> None:
        self.run_id: str = options.run_id
        self.results: deque[StopResult] = deque()
        if not callable(getattr(executor, "submit", None)):
            raise RequestValidationError(
                "executor must be a concurrent.futures.Executor or None, not "
                f"{type(executor).__name__}."
            )
        self._executor = executor
        self._client = client
        self._packed_client = pack(client, executor)
        self._options = options
        # A batch stops its sessions one after the other, so batches are what is in flight.
        self._batch_options = attrs.evolve(options, max_concurrency=1)
        self._ids: Iterator[str] | None = checked_iterator("session_ids", session_ids)
        self._started = started
        self._cancelled = False
        # A batch leaves it when it is in flight, or done.
        self._to_do: deque[_Batch] = deque()
        self._in_flight: dict[Future[list[StopResult]], _Batch] = {}
        self._ended: deque[Future[list[StopResult]]] = deque()
        # Entered by itself: an interrupt inside a Condition's own way in would leave it locked.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._error: BaseException | None = None

    def work_until_result(self) -> bool:
        """Begin what can begin, and wait for a result; False when there will be none."""
        while not self.results:
            self._collect()
            self._begin()
            if self.results:
                break
            if not self._in_flight:
                return False
            with self._lock:
                self._changed.wait_for(lambda: bool(self._ended))
        return True

    def cancel(self) -> None:
        """Begin nothing new."""
        self._cancelled = True

    def dismiss(self) -> None:
        """Wait for the batches that workers have begun, as far as the executor tells."""
        for future in tuple(self._in_flight):
            if not future.cancel():
                with self._lock:
                    self._changed.wait_for(future.done)

    def raise_error(self) -> None:
        """Raise what ended the run early."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _begin(self) -> None:
        while not self._cancelled and self._has_room and not self.results:
            if self._to_do:
                self._do(self._to_do[0])
                self._to_do.popleft()
            elif not self._take_batch():
                return
        if self._cancelled:
            self._give_up()

    @property
    def _has_room(self) -> bool:
        return len(self._in_flight) < self._options.max_concurrency

    def _take_batch(self) -> bool:
        if self._ids is None:
            return False
        session_ids: list[str] = []
        try:
            session_ids.extend(islice(self._ids, _BATCH))
        except BaseException as error:  # noqa: BLE001 - raised when all that began has ended
            self._ids, self._error = None, error
        if session_ids:
            self._to_do.append(_Batch(session_ids))
        return bool(session_ids)

    def _give_up(self) -> None:
        self._ids = None
        while self._to_do:
            batch = self._to_do[0]
            # One that never went out has not begun.
            if batch.tries:
                self.results.extend(_give_up(each, self._options) for each in batch.session_ids)
            self._to_do.popleft()

    def _do(self, batch: _Batch) -> None:
        batch.tries += 1
        future = self._submit(batch) if batch.tries <= _MAX_TRIES else None
        if future is None:
            self._tell(stop_batch(self._client, batch.session_ids, self._options))
        else:
            future.add_done_callback(self._note)
            self._in_flight[future] = batch

    def _submit(self, batch: _Batch) -> Future[list[StopResult]] | None:
        try:
            return self._executor.submit(
                stop_batch, self._packed_client, batch.session_ids, self._batch_options, uuid4().hex
            )
        except Exception as error:  # noqa: BLE001 - every executor has its own word for it
            _logger.warning("The executor takes no work, so it is done here: %s", error)
            return None

    def _tell(self, results: list[StopResult]) -> None:
        # A worker knows when its batch began, not when the run did.
        self.results.extend(
            attrs.evolve(
                each,
                repeated=each.repeated
                and each.session is not None
                and stopped_before(self._started, each.session),
            )
            for each in results
        )

    def _note(self, future: Future[list[StopResult]]) -> None:
        with self._lock:
            self._ended.append(future)
            self._changed.notify_all()

    def _collect(self) -> None:
        # An interrupt may come between any two steps. Results may be told twice then, never lost.
        while self._ended:
            self._collect_from(self._ended[0])
            self._in_flight.pop(self._ended[0], None)
            self._ended.popleft()

    def _collect_from(self, future: Future[list[StopResult]]) -> None:
        batch = self._in_flight.get(future)
        if batch is not None:
            try:
                self._tell(future.result())
            except NimbleStopError as error:
                # The worker could not even make a client.
                self.cancel()
                self._error = self._error or error
            except (Exception, CancelledError):  # noqa: BLE001 - any error of theirs
                # Every executor has its own word for a lost worker.
                self._to_do.append(batch)
