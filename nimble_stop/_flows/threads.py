"""Bulk stops in threads: the iterator that `NimbleClient.stop_sessions` returns, and its threads.

An interrupt (Ctrl-C) may come between any two steps of the main thread. So nothing here holds a
lock that Python code takes or releases: an interrupt there would leave it locked, and the run would
hang. That is why the threads are not a `ThreadPoolExecutor`'s, whose ``submit`` takes such locks.
"""

from __future__ import annotations

import queue
import threading
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from nimble_stop._call.steps import Effect, Sleep, drive
from nimble_stop._flows.bulk import BulkStop, Outcome, Plan, Work
from nimble_stop._flows.results import BulkOptions, StopResult

if TYPE_CHECKING:
    from nimble_stop._call.engine import Engine

PlanT = TypeVar("PlanT", bound=Plan)
OutcomeT = TypeVar("OutcomeT")


class Runner(ABC, Generic[PlanT, OutcomeT]):
    """Does the work of a run, in threads or in an executor.

    Only the thread that iterates touches the plan; others hand their outcomes to it.
    """

    def __init__(self, plan: PlanT) -> None:
        self.plan = plan
        self._outcomes: deque[OutcomeT] = deque()
        # Released when there is something new: a semaphore that never counts further than one.
        self._changed = threading.Lock()
        self._changed.acquire()

    def advance(self) -> bool:
        """Submit what can begin and wait for a result; False when there will be none."""
        while True:
            self._drain()
            is_over = not self._submit()
            if self.plan.results:
                return True
            if is_over:
                return False
            self._wait()

    def cancel(self) -> None:
        self.plan.cancel()
        self._wake()

    @abstractmethod
    def shutdown(self) -> None:
        """Wait for the stops in flight."""

    @abstractmethod
    def _submit(self) -> bool:
        """Submit what can begin; False when nothing is in flight, and nothing will be."""

    @abstractmethod
    def _finish(self, outcome: OutcomeT) -> None: ...

    def _put(self, outcome: OutcomeT) -> None:
        """Add an outcome; called in any thread."""
        self._outcomes.append(outcome)
        self._wake()

    def _wake(self) -> None:
        with suppress(RuntimeError):
            self._changed.release()

    def _wait(self) -> None:
        self._changed.acquire()

    def _drain(self) -> None:
        """Take all outcomes; one whose taking was interrupted is taken again the next time."""
        while self._outcomes:
            self._finish(self._outcomes[0])
            self._outcomes.popleft()


class StopRun(Iterator[StopResult]):
    """The results of `NimbleClient.stop_sessions`, one as each session ends.

    Ids are taken from the iterable in the thread that iterates, and only as fast as results are
    taken. A stop that was sent is always waited for: leaving the iteration early, closing or
    dropping the run waits for the stops in flight. After an interrupt the run is still usable:
    `cancel` it and go on iterating to get the results of the stops in flight; a result may come
    twice then.

    Attributes:
        run_id: What the client tokens are derived from. Another run with the same run id, studio
            and retention stops no session twice.
    """

    def __init__(self, runner: Runner[Any, Any]) -> None:
        self.run_id: str = runner.plan.run_id
        self._runner = runner
        # Runs also when the run is dropped without being closed, and when the interpreter ends.
        self._shutdown = weakref.finalize(self, runner.shutdown)

    def __next__(self) -> StopResult:
        if not self._runner.advance():
            self.close()
        plan: Plan = self._runner.plan
        return plan.take(StopIteration)

    def cancel(self) -> None:
        """Begin no further stop. Iterating on gives the results of those in flight, then ends.

        Any thread may call it, and a signal handler too.
        """
        self._runner.cancel()

    def close(self) -> None:
        """Begin no further stop, and wait for those in flight."""
        self._runner.cancel()
        # An interrupt may come here too; then the next close, or the end of the run, does it.
        self._runner.shutdown()
        self._shutdown.detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _ShutdownError(BaseException):
    """The run is over, so that no poll is needed."""


class ThreadRunner(Runner[BulkStop, tuple[Work, Outcome]]):
    """Runs the steps of a bulk stop in threads.

    They are daemon threads, because the end of the interpreter waits for others before anything can
    break their polls off. `StopRun` waits for them there.
    """

    def __init__(
        self,
        engine: Engine,
        perform: Callable[[Effect], object],
        session_ids: Iterable[str],
        options: BulkOptions,
    ) -> None:
        super().__init__(BulkStop(engine, session_ids, options))
        self._perform = perform
        self._sleep = engine.runtime.sleep
        self._threads: list[threading.Thread] = []
        self._started = 0
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._shut_down: queue.SimpleQueue[None] = queue.SimpleQueue()

    def shutdown(self) -> None:
        """Break polls off, wait for the stops in flight, and end the threads."""
        self._shut_down.put(None)
        self._work.put(None)
        # The garbage collector may drop a run in one of the run's own threads.
        if threading.current_thread() not in self._threads:
            for thread in self._threads:
                # An interrupt may have come before it was started.
                if thread.is_alive():
                    thread.join()
        self._drain()
        self.plan.end()

    def _submit(self) -> bool:
        self._start_threads()
        while (work := self.plan.next_work()) is not None:
            self._work.put(work)
            self.plan.submitted(work)
            self._start_threads()
        return not self.plan.is_over

    def _start_threads(self) -> None:
        while self._started < self.plan.running:
            thread = threading.Thread(target=self._run_work, name="nimble_stop", daemon=True)
            self._threads.append(thread)
            thread.start()
            self._started += 1

    def _run_work(self) -> None:
        while (work := self._work.get()) is not None:
            perform = self._perform_for_poll if work.is_poll else self._perform
            try:
                outcome: Outcome = drive(work.steps, perform)
            except _ShutdownError:
                return
            except BaseException as error:  # noqa: BLE001 - the thread that iterates raises it
                outcome = error
            self._put((work, outcome))
        # One None ends all threads.
        self._work.put(None)

    def _finish(self, outcome: tuple[Work, Outcome]) -> None:
        self.plan.finish(*outcome)

    def _perform_for_poll(self, effect: Effect) -> object:
        if not isinstance(effect, Sleep):
            return self._perform(effect)
        if self._sleep is not None:
            self._sleep(effect.seconds)
        try:
            self._shut_down.get(timeout=effect.seconds if self._sleep is None else 0)
        except queue.Empty:
            return None
        self._shut_down.put(None)
        raise _ShutdownError
