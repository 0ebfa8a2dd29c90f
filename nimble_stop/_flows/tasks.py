"""Running a `BulkStop` with tasks: the iterator that `AsyncNimbleClient.stop_sessions` returns."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Self

from nimble_stop._call.steps import Effect, adrive
from nimble_stop._flows.bulk import BulkStop, StopResult

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from nimble_stop._call.engine import Engine
    from nimble_stop._flows.bulk import BulkOptions, Outcome, Work
    from nimble_stop._flows.threads import StopRun


class AsyncStopRun(ABC, AsyncIterator[StopResult]):
    """The results of `AsyncNimbleClient.stop_sessions`, one as each session ends.

    Ids are taken from the iterable only as fast as results are taken. Leaving the iteration early
    lets the stops in flight finish; `aclose` waits for them. Cancelling the iteration cancels
    them: a run with the same run id completes the work.

    Attributes:
        run_id: What the client tokens are derived from. Another run with the same run id, studio
            and retention stops no session twice.
    """

    run_id: str

    @abstractmethod
    def cancel(self) -> None:
        """Begin no further stop. Iterating on gives the results of those in flight, then ends."""

    @abstractmethod
    async def aclose(self) -> None:
        """Begin no further stop, and wait for those in flight."""

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class AsyncTaskRun(AsyncStopRun):
    """A run whose work is done by tasks of the event loop."""

    def __init__(self, plan: BulkStop, perform: Callable[[Effect], Awaitable[object]]) -> None:
        self.run_id: str = plan.run_id
        self._plan = plan
        self._perform = perform
        self._tasks: dict[asyncio.Task[None], Work] = {}
        self._changed = asyncio.Event()

    async def __anext__(self) -> StopResult:
        while not self._plan.results:
            self._begin()
            if self._plan.results:
                break
            if not self._tasks:
                await self.aclose()
                self._plan.raise_feed_error()
                raise StopAsyncIteration
            self._changed.clear()
            try:
                await self._changed.wait()
            except asyncio.CancelledError:
                self._plan.cancel()
                await self._cancel(self._tasks)
                raise
        return self._plan.results.popleft()

    def cancel(self) -> None:
        """Begin no further stop."""
        self._plan.cancel()
        self._changed.set()

    async def aclose(self) -> None:
        """Begin no further stop; wait for those in flight, and for no look."""
        self._plan.cancel()
        await self._cancel([task for task, work in self._tasks.items() if work.is_look])
        await asyncio.gather(*self._tasks)

    def _begin(self) -> None:
        while (work := self._plan.next_work()) is not None:
            task = asyncio.create_task(self._labour(work))
            self._tasks[task] = work
            self._plan.begun(work)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._changed.set()

    async def _labour(self, work: Work) -> None:
        outcome: Outcome | BaseException
        try:
            outcome = await adrive(work.steps, self._perform)
        except asyncio.CancelledError as error:
            self._plan.finish(work, error)
            raise
        except BaseException as error:  # noqa: BLE001 - the caller's task raises it
            outcome = error
        self._plan.finish(work, outcome)

    async def _cancel(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        cancelled = tuple(tasks)
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*cancelled, return_exceptions=True)


class AsyncExecutorRun(AsyncStopRun):
    """A run whose work is done in an executor; waiting for it takes a thread, not the loop."""

    def __init__(self, run: StopRun) -> None:
        self.run_id: str = run.run_id
        self._run = run

    async def __anext__(self) -> StopResult:
        try:
            result = await asyncio.to_thread(next, self._run, None)
        except asyncio.CancelledError:
            self._run.cancel()
            raise
        if result is None:
            raise StopAsyncIteration
        return result

    def cancel(self) -> None:
        """Begin no further stop."""
        self._run.cancel()

    async def aclose(self) -> None:
        """Begin no further stop; wait for those in flight."""
        await asyncio.to_thread(self._run.close)


def task_run(
    engine: Engine,
    perform: Callable[[Effect], Awaitable[object]],
    session_ids: Iterable[str],
    options: BulkOptions,
) -> AsyncStopRun:
    """Give the run that stops sessions in tasks of the event loop.

    Args:
        engine: Makes the calls.
        perform: Does what a step asks for.
        session_ids: The sessions' ids.
        options: How to stop them.
    """
    return AsyncTaskRun(BulkStop(engine, session_ids, options), perform)
