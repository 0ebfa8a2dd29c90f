"""Running a `BulkStop` with threads: the iterator that `NimbleClient.stop_sessions` returns."""

from __future__ import annotations

import queue
import threading
import weakref
from collections import deque  # noqa: TC003 - of a runtime protocol
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, Self

from nimble_stop._call.steps import Effect, Sleep, drive
from nimble_stop._flows.bulk import BulkStop, StopResult

if TYPE_CHECKING:
    from types import TracebackType

    from nimble_stop._call.engine import Engine
    from nimble_stop._flows.bulk import BulkOptions, Outcome, Work

Perform = Callable[[Effect], object]


class Crew(Protocol):
    """Those who do the work of a run."""

    run_id: str
    results: deque[StopResult]

    def work_until_result(self) -> bool:
        """Begin what can begin, and wait for a result; False when there will be none."""
        ...

    def cancel(self) -> None:
        """Begin nothing new."""
        ...

    def dismiss(self) -> None:
        """Wait for what has begun."""
        ...

    def raise_error(self) -> None:
        """Raise what ended the run early, such as an error of the iterable itself."""
        ...


class StopRun(Iterator[StopResult]):
    """The results of `NimbleClient.stop_sessions`, one as each session ends.

    Ids are taken from the iterable in the thread that iterates, and only as fast as results are
    taken. What has begun is always finished: leaving the iteration early, closing or dropping the
    run waits for the stops in flight. After an interrupt the run is still usable: `cancel` it and
    go on iterating to see what became of them; a result may come twice then.

    Attributes:
        run_id: What the client tokens are derived from. Another run with the same run id, studio
            and retention stops no session twice.
    """

    def __init__(self, crew: Crew) -> None:
        self.run_id: str = crew.run_id
        self._crew = crew
        # Runs also when the run is dropped without being closed, and when the interpreter ends.
        self._dismiss = weakref.finalize(self, crew.dismiss)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StopResult:
        if not self._crew.work_until_result():
            self.close()
        if self._crew.results:
            return self._crew.results.popleft()
        self._crew.raise_error()
        raise StopIteration

    def cancel(self) -> None:
        """Begin no further stop. Iterating on gives the results of those in flight, then ends."""
        self._crew.cancel()

    def close(self) -> None:
        """Begin no further stop, and wait for those in flight."""
        self._crew.cancel()
        # An interrupt may come here too, so this is done again by whoever closes again.
        self._crew.dismiss()
        self._dismiss.detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def thread_run(
    engine: Engine, perform: Perform, session_ids: Iterable[str], options: BulkOptions
) -> StopRun:
    """Give the run that stops sessions in threads of its own.

    Args:
        engine: Makes the calls.
        perform: Does what a step asks for.
        session_ids: The sessions' ids.
        options: How to stop them.
    """
    plan = BulkStop(engine, session_ids, options)
    return StopRun(ThreadCrew(plan, perform, engine.runtime.sleep))


class _DismissedError(BaseException):
    """The run is over; nobody is interested in another look."""


class ThreadCrew(Crew):
    """The threads of a run. They finish what they did; only the caller's thread begins work.

    An interrupt reaches the main thread alone, so no outcome is lost to one. Between any two steps
    of the main thread it may come; the order of these steps sees to it that nothing is lost then.
    """

    def __init__(
        self, plan: BulkStop, perform: Perform, sleep: Callable[[float], object] | None
    ) -> None:
        self.run_id: str = plan.run_id
        self.results: deque[StopResult] = plan.results
        self._plan = plan
        self._perform = perform
        self._dismissed = threading.Event()
        self._sleep = sleep or self._dismissed.wait
        self._threads: list[threading.Thread] = []
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        # Guards the plan.
        # Entered by itself: an interrupt inside a Condition's own way in would leave it locked.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def work_until_result(self) -> bool:
        """Begin what can begin, and wait for a result; False when there will be none."""
        with self._lock:
            self._staff()
            while not self._plan.results:
                self._begin()
                if self._plan.results:
                    break
                if self._plan.is_over:
                    return False
                self._changed.wait()
        return True

    def cancel(self) -> None:
        """Begin nothing new."""
        with self._lock:
            self._plan.cancel()
            self._changed.notify()

    def dismiss(self) -> None:
        """Let the threads finish what they do, and end."""
        self._dismissed.set()
        self._work.put(None)
        # The garbage collector may drop a run in one of its own threads.
        if threading.current_thread() not in self._threads:
            for thread in self._threads:
                thread.join()

    def raise_error(self) -> None:
        """Raise what ended the run early, such as an error of the iterable itself."""
        self._plan.raise_feed_error()

    def _begin(self) -> None:
        while (work := self._plan.next_work()) is not None:
            self._work.put(work)
            self._plan.begun(work)
            self._staff()

    def _staff(self) -> None:
        while len(self._threads) < self._plan.running:
            thread = threading.Thread(target=self._labour, name="nimble_stop", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _labour(self) -> None:
        while (work := self._work.get()) is not None:
            perform = self._perform_look if work.is_look else self._perform
            try:
                outcome: Outcome | BaseException = drive(work.steps, perform)
            except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
                outcome = error
            with self._lock:
                self._plan.finish(work, outcome)
                self._changed.notify()
        # One farewell is for all.
        self._work.put(None)

    def _perform_look(self, effect: Effect) -> object:
        if not isinstance(effect, Sleep):
            return self._perform(effect)
        self._sleep(effect.seconds)
        if self._dismissed.is_set():
            raise _DismissedError
        return None
