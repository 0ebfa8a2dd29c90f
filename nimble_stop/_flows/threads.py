"""Bulk stops in threads: the iterator that `NimbleClient.stop_sessions` returns, and its threads.

An interrupt (Ctrl-C) may come between any two steps of the main thread. So nothing here holds a
lock that Python code takes or releases: an interrupt there would leave it locked, and the run would
hang. That is why the threads are not a `ThreadPoolExecutor`'s, whose ``submit`` takes such locks.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from nimble_stop._call.steps import Effect, Sleep, drive
from nimble_stop._flows.bulk import BulkStop
from nimble_stop._flows.results import StopResult

if TYPE_CHECKING:
    from types import TracebackType

    from nimble_stop._call.engine import Engine
    from nimble_stop._flows.bulk import Outcome, Work
    from nimble_stop._flows.results import BulkOptions

Perform = Callable[[Effect], object]
ItemT = TypeVar("ItemT")


class Runner(Protocol):
    """What does the work of a run: threads, or an executor."""

    run_id: str
    results: deque[StopResult]

    def advance(self) -> bool:
        """Submit what can begin and wait for a result; False when there will be none."""
        ...

    def cancel(self) -> None:
        """Submit nothing more."""
        ...

    def shutdown(self) -> None:
        """Wait for the stops in flight."""
        ...

    def raise_error(self) -> None:
        """Raise what ended the run early, such as an error of the iterable itself."""
        ...


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

    def __init__(self, runner: Runner) -> None:
        self.run_id: str = runner.run_id
        self._runner = runner
        # Runs also when the run is dropped without being closed, and when the interpreter ends.
        self._shutdown = weakref.finalize(self, runner.shutdown)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StopResult:
        if not self._runner.advance():
            self.close()
        if self._runner.results:
            return self._runner.results.popleft()
        self._runner.raise_error()
        raise StopIteration

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Outcomes(Generic[ItemT]):
    """Hands outcomes from other threads to the one that iterates; an interrupt loses none."""

    def __init__(self) -> None:
        self._items: deque[ItemT] = deque()
        # Released when there is something new: a semaphore that never counts further than one.
        self._changed = threading.Lock()
        self._changed.acquire()

    def put(self, item: ItemT) -> None:
        """Add an outcome, and wake the thread that waits; called in any thread."""
        self._items.append(item)
        self.wake()

    def wake(self) -> None:
        """Wake the thread that waits."""
        with suppress(RuntimeError):
            self._changed.release()

    def wait(self) -> None:
        """Wait until there is something new. Call `drain` first."""
        self._changed.acquire()

    def drain(self, take: Callable[[ItemT], object]) -> None:
        """Take all outcomes; one whose taking was interrupted is taken again the next time."""
        while self._items:
            take(self._items[0])
            self._items.popleft()


class _ShutdownError(BaseException):
    """The run is over, so that no poll is needed."""


class ThreadRunner(Runner):
    """Runs a plan in threads. They run steps; only the thread that iterates touches the plan.

    They are daemon threads, because the end of the interpreter waits for others before anything can
    break their polls off. `StopRun` waits for them there.

    Args:
        engine: Makes the calls.
        perform: Does what a step asks for.
        session_ids: The sessions' ids.
        options: How to stop them.
    """

    def __init__(
        self, engine: Engine, perform: Perform, session_ids: Iterable[str], options: BulkOptions
    ) -> None:
        self._plan = BulkStop(engine, session_ids, options)
        self.run_id: str = options.run_id
        self.results: deque[StopResult] = self._plan.results
        self._perform = perform
        self._sleep = engine.runtime.sleep
        self._threads: list[threading.Thread] = []
        self._started = 0
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._outcomes = Outcomes[tuple["Work", "Outcome"]]()
        self._shut_down: queue.SimpleQueue[None] = queue.SimpleQueue()

    def advance(self) -> bool:
        """Submit what can begin and wait for a result; False when there will be none."""
        while True:
            self._outcomes.drain(self._finish)
            self._start_threads()
            while (work := self._plan.next_work()) is not None:
                self._work.put(work)
                self._plan.submitted(work)
                self._start_threads()
            if self.results:
                return True
            if self._plan.is_over:
                return False
            self._outcomes.wait()

    def cancel(self) -> None:
        """Submit nothing more."""
        self._plan.cancel()
        self._outcomes.wake()

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
        self._outcomes.drain(self._finish)
        self._plan.end()

    def raise_error(self) -> None:
        """Raise what ended the run early, such as an error of the iterable itself."""
        self._plan.raise_error()

    def _start_threads(self) -> None:
        while self._started < self._plan.running:
            thread = threading.Thread(target=self._run_work, name="nimble_stop", daemon=True)
            self._threads.append(thread)
            thread.start()
            self._started += 1

    def _run_work(self) -> None:
        while (work := self._work.get()) is not None:
            perform = self._perform_for_poll if work.is_poll else self._perform
            try:
                outcome: Outcome = drive(work.steps, perform)
            except BaseException as error:  # noqa: BLE001 - the thread that iterates raises it
                outcome = error
            self._outcomes.put((work, outcome))
        # One None ends all threads.
        self._work.put(None)

    def _finish(self, ended: tuple[Work, Outcome]) -> None:
        work, outcome = ended
        if isinstance(outcome, _ShutdownError):
            self._plan.break_off(work, outcome)
        else:
            self._plan.finish(work, outcome)

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
