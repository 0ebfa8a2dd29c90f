"""Bulk stops in an executor of the caller's, such as a process pool or Dask's, and its workers.

Sessions are submitted in batches, because submitting one costs more than stopping a session. A
batch whose worker failed is submitted again: the client tokens make that safe. A client is pickled
for the workers as what it was asked for, never with credentials.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
from collections import deque
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast
from uuid import uuid4

import attrs

from nimble_stop import exceptions
from nimble_stop._api.operations import STOP_STREAMING_SESSION
from nimble_stop._call.record import CallRecord
from nimble_stop._flows.bulk import Plan
from nimble_stop._flows.results import BulkOptions, Job, StopResult, invalid_id
from nimble_stop._flows.threads import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nimble_stop._call.engine import Engine
    from nimble_stop._call.telemetry import Activity, RemoteParent

    # A method of a client, so that a client is all that is pickled for it.
    StopBatch = Callable[[Iterable[str], BulkOptions], Iterable[StopResult]]

_logger = logging.getLogger("nimble_stop")
# At some 10 ms for submitting and 100 ms for a stop, the overhead stays below a percent.
_BATCH: Final = 25
# After that the batch, or the executor, is at fault and not a worker: it is done in this process.
_MAX_TRIES: Final = 3
# What a client may read from the environment.
_READ_BY_CLIENTS: Final = re.compile("HOME|AWS_.*|.*_PROXY", re.IGNORECASE)


@attrs.frozen(eq=False)
class Batch:
    """What is submitted to an executor.

    ``stop`` is as `pack` prepared it. ``submission`` makes the batch unlike any other: Dask answers
    equal calls from one result. ``parent`` is the span that the calls are children of.
    """

    stop: StopBatch | bytes
    session_ids: list[str]
    options: BulkOptions
    submission: str = ""
    parent: Activity | RemoteParent | None = None


def pack(stop: StopBatch, executor: Executor) -> StopBatch | bytes:
    """Prepare a client's method for the workers: threads of this process share the client."""
    if isinstance(executor, ThreadPoolExecutor):
        return stop
    try:
        return pickle.dumps(stop)
    except (AttributeError, TypeError, pickle.PicklingError):
        # A client with a function of the caller's. It still serves an executor without pickles.
        return stop
    except exceptions.ConfigurationError as refusal:
        raise exceptions.ConfigurationError(
            "credentials= would have to be pickled for the workers of the executor, secret and "
            "all. Leave credentials= out, so that each worker finds its own by AWS_PROFILE, "
            "environment or role, or use NimbleClient with a ThreadPoolExecutor."
        ) from refusal


def stop_batch(batch: Batch) -> list[StopResult]:
    """Stop the sessions of one batch; this is what runs in a worker."""
    stop = batch.stop
    if isinstance(stop, bytes):
        names = sorted(filter(_READ_BY_CLIENTS.fullmatch, os.environ))
        stop = _unpacked(stop, tuple((name, os.environ[name]) for name in names))
    with batch.parent.current() if batch.parent else nullcontext():
        return list(stop(batch.session_ids, batch.options))


@lru_cache(maxsize=4)
def _unpacked(packed: bytes, environment: tuple[tuple[str, str], ...]) -> StopBatch:
    # The environment is a part of the cache's key alone: another one needs another client.
    del environment
    return cast("StopBatch", pickle.loads(packed))  # noqa: S301 - our own caller pickled it


@attrs.define(eq=False)
class _Task:
    """The sessions of one batch, and how often they were submitted."""

    session_ids: list[str]
    tries: int = 0


class ExecutorRunner(Runner[Plan, Future[list["StopResult"]]]):
    """Runs batches in an executor, as many at a time as stops may be in flight.

    An interrupt may come between any two steps of the thread that iterates: what is moved is added
    to its new place before it is removed from the old one, so that a batch may be submitted twice
    then, or a result given twice, and none is lost.
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
            raise exceptions.RequestValidationError(
                "executor must be a concurrent.futures.Executor or None, not "
                f"{type(executor).__name__}."
            )
        self._executor = executor
        self._stop = stop
        self._packed_stop = pack(stop, executor)
        super().__init__(Plan(engine, session_ids, options))
        self._options = attrs.evolve(options, began=engine.runtime.now())
        # A batch stops its sessions one after the other, so batches are what is in flight.
        self._batch_options = attrs.evolve(self._options, max_concurrency=1)
        self._parent = self.plan.activity and self.plan.activity.remote()
        self._to_do: deque[_Task] = deque()
        self._in_flight: dict[Future[list[StopResult]], _Task] = {}

    def cancel_pending(self) -> None:
        """Cancel the batches that no worker has started, as far as the executor knows."""
        for future in tuple(self._in_flight):
            future.cancel()

    def shutdown(self) -> None:
        """Cancel the batches that no worker has started, and wait for the others."""
        self.cancel_pending()
        self._drain()
        while self._in_flight:
            self._wait()
            self._drain()
        self.plan.end()

    def _submit(self) -> bool:
        plan, most = self.plan, self._options.max_concurrency
        while not plan.cancelled and not plan.results and len(self._in_flight) < most:
            if not self._to_do and (session_ids := plan.take_ids(_BATCH)):
                self._to_do.append(_Task(session_ids))
            if not self._to_do:
                break
            # The iterable may have cancelled the run.
            if not plan.cancelled:
                self._start(self._to_do[0])
                self._to_do.popleft()
        if plan.cancelled:
            plan.ids = None
            lost = (each for task in self._to_do if task.tries for each in task.session_ids)
            plan.results.extend(map(self._unknown, lost))
            self._to_do.clear()
        return bool(self._in_flight)

    def _unknown(self, session_id: str) -> StopResult:
        """Give the result of a session that was submitted, and will not be again."""
        refused = invalid_id(session_id)
        if refused is not None:
            return refused
        error = exceptions.ConnectionLostError("The worker that had this session gave no answer.")
        token, operation = self._options.token(session_id), STOP_STREAMING_SESSION.name
        CallRecord(operation, token, outcome_unknown=True).write_into(error)
        return Job(session_id, token, error=error).result

    def _start(self, task: _Task) -> None:
        plan, ids = self.plan, task.session_ids
        task.tries += 1
        if task.tries <= _MAX_TRIES:
            batch = Batch(self._packed_stop, ids, self._batch_options, uuid4().hex, self._parent)
            try:
                future = self._executor.submit(stop_batch, batch)
            except Exception as error:  # noqa: BLE001 - every executor raises another one
                _logger.warning(
                    "The executor takes no work, so %d sessions are stopped in this process: %s",
                    len(ids),
                    _describe(error),
                )
            else:
                future.add_done_callback(self._put)
                self._in_flight[future] = task
                return
        plan.results.extend(stop_batch(Batch(self._stop, ids, self._options, parent=plan.activity)))

    def _finish(self, outcome: Future[list[StopResult]]) -> None:
        future, task = outcome, self._in_flight.get(outcome)
        # A future that is not in flight has been taken before, or its task is submitted again.
        if task is None:
            return
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None:
            self.plan.results.extend(future.result())
        elif isinstance(error, exceptions.NimbleStopError):
            # The worker could not even make a client.
            self.plan.fail(error)
        else:
            self._log_failure(task, error)
            self._to_do.append(task)
        del self._in_flight[future]

    def _log_failure(self, task: _Task, error: BaseException) -> None:
        if isinstance(error, ImportError):
            what = "cannot import nimble_stop or what it needs; install it where the workers run"
        else:
            what = "failed or died"
        if self.plan.cancelled:
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
