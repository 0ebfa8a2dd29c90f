"""Stopping many sessions in somebody else's executor: a process pool, Dask's, Ray's, MPI's.

Work goes out in batches, because handing one over costs more than stopping a session. A batch
whose worker was lost goes out again: the client tokens make that safe. What is pickled is how to
make a client, never a client's credentials.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop._arguments import checked_iterator
from nimble_stop._stop_run import Crew
from nimble_stop.exceptions import ConfigurationError, NimbleStopError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nimble_stop._base import BaseClient
    from nimble_stop._bulk import BulkOptions, StopResult
    from nimble_stop._client import NimbleClient
    from nimble_stop._config import Options

# At some 10 ms for handing work over and 100 ms for a stop, the overhead stays below a percent.
_BATCH: Final = 25
# After that the batch, or the executor, is at fault and not a worker: it is done here.
_MAX_TRIES: Final = 3


@attrs.frozen
class Recipe:
    """How a worker makes its client: from the same options, with credentials of its own."""

    options: Options

    def client(self) -> NimbleClient:
        """Give the worker's client; a process makes one and keeps it for further batches."""
        return _client_of(self.options)


@attrs.frozen
class Given:
    """The caller's own client, for executors whose workers are threads of this process."""

    given: NimbleClient

    def client(self) -> NimbleClient:
        """Give the client."""
        return self.given


@lru_cache(maxsize=4)
def _client_of(options: Options) -> NimbleClient:
    from nimble_stop._client import NimbleClient

    return NimbleClient(**attrs.asdict(options, recurse=False))


def source_for(
    executor: Executor, client: BaseClient, options: Options, *, has_credentials: bool
) -> Recipe | Given:
    """Choose how the workers get their client.

    Raises:
        ConfigurationError: Credentials that were passed in would have to be pickled.
    """
    from nimble_stop._client import NimbleClient

    if isinstance(client, NimbleClient) and isinstance(executor, ThreadPoolExecutor):
        return Given(client)
    if has_credentials:
        raise ConfigurationError(
            "credentials= would have to be pickled for the workers of the executor, secret and "
            "all. Leave credentials= out, so that each worker finds its own by AWS_PROFILE, "
            "environment or role, or use a ThreadPoolExecutor."
        )
    return Recipe(options)


def stop_batch(
    source: Recipe | Given, session_ids: list[str], options: BulkOptions
) -> list[StopResult]:
    """Stop the sessions of one batch; this is what runs in a worker."""
    run = source.client().stop_sessions(
        options.studio_id,
        session_ids,
        retention=options.retention,
        run_id=options.run_id,
        max_concurrency=options.max_concurrency,
        wait=options.wait,
    )
    return list(run)


@attrs.define(eq=False)
class _Batch:
    session_ids: list[str]
    tries: int = 0


class ExecutorCrew(Crew):
    """Runs batches in an executor, as many at a time as stops may be in flight."""

    def __init__(
        self,
        executor: Executor,
        source: Recipe | Given,
        session_ids: Iterable[str],
        options: BulkOptions,
    ) -> None:
        self.run_id: str = options.run_id
        self.results: deque[StopResult] = deque()
        self._executor = executor
        self._source = source
        self._options = options
        # A batch stops its sessions one after the other, so batches are what is in flight.
        self._batch_options = attrs.evolve(options, max_concurrency=1)
        self._ids: Iterator[str] | None = checked_iterator("session_ids", session_ids)
        self._again: deque[_Batch] = deque()
        self._in_flight: dict[Future[list[StopResult]], _Batch] = {}
        self._ended: deque[Future[list[StopResult]]] = deque()
        self._changed = threading.Condition()
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
            with self._changed:
                self._changed.wait_for(lambda: bool(self._ended))
        return True

    def cancel(self) -> None:
        """Begin nothing new."""
        self._ids = None
        self._again.clear()

    def dismiss(self) -> None:
        """Wait for the batches that workers have begun."""
        for future in tuple(self._in_flight):
            if not future.cancel():
                with self._changed:
                    self._changed.wait_for(future.done)

    def raise_error(self) -> None:
        """Raise what ended the run early."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _begin(self) -> None:
        while len(self._in_flight) < self._options.max_concurrency and not self.results:
            batch = self._next_batch()
            if batch is None:
                return
            self._submit(batch)

    def _next_batch(self) -> _Batch | None:
        if self._again:
            return self._again.popleft()
        if self._ids is None:
            return None
        session_ids: list[str] = []
        try:
            session_ids.extend(islice(self._ids, _BATCH))
        except BaseException as error:  # noqa: BLE001 - raised when all that began has ended
            self._ids, self._error = None, error
        return _Batch(session_ids) if session_ids else None

    def _submit(self, batch: _Batch) -> None:
        batch.tries += 1
        if batch.tries <= _MAX_TRIES:
            try:
                future = self._executor.submit(
                    stop_batch, self._source, batch.session_ids, self._batch_options
                )
            except RuntimeError:
                # A broken or closed executor takes no work; every one of them says so like this.
                pass
            else:
                self._in_flight[future] = batch
                future.add_done_callback(self._note)
                return
        self.results.extend(stop_batch(self._source, batch.session_ids, self._options))

    def _note(self, future: Future[list[StopResult]]) -> None:
        with self._changed:
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
                self.results.extend(future.result())
            except NimbleStopError as error:
                # The worker could not even make a client.
                self.cancel()
                self._error = self._error or error
            except (Exception, CancelledError):  # noqa: BLE001 - any error of theirs
                # Every executor has its own word for a lost worker.
                self._again.append(batch)
