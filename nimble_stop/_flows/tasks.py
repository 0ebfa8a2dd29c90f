"""Bulk stops of the async client: the iterator that `AsyncNimbleClient.stop_sessions` returns."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Self

from nimble_stop._call.steps import Effect, adrive
from nimble_stop._flows.bulk import BulkStop, Work
from nimble_stop._flows.results import BulkOptions, StopResult

if TYPE_CHECKING:
    from nimble_stop._call.engine import Engine
    from nimble_stop._flows.executors import ExecutorRunner
    from nimble_stop._flows.waiting import Polled


class AsyncStopRun(ABC, AsyncIterator[StopResult]):
    """The results of `AsyncNimbleClient.stop_sessions`, one as each session ends.

    Ids are taken from the iterable only as fast as results are taken. Leaving the iteration early
    lets the stops in flight finish; `aclose` waits for them.

    Cancelling the iteration, also by `asyncio.timeout` or `asyncio.wait_for`, cancels the stops in
    flight and begins no other: iterating on gives their results, whose outcome may be unknown, and
    a run with the same run id completes the work. Stops that an executor does cannot be cancelled:
    there, iterating on goes on with the run.

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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class TaskRun(AsyncStopRun):
    def __init__(
        self,
        engine: Engine,
        perform: Callable[[Effect], Awaitable[object]],
        session_ids: Iterable[str],
        options: BulkOptions,
    ) -> None:
        self.run_id: str = options.run_id
        self._plan = BulkStop(engine, session_ids, options)
        self._perform = perform
        self._tasks: dict[asyncio.Task[Polled | None], Work] = {}
        self._changed = asyncio.Event()

    async def __anext__(self) -> StopResult:
        while True:
            self._submit()
            if self._plan.results or self._plan.is_over:
                break
            self._changed.clear()
            try:
                await self._changed.wait()
            except asyncio.CancelledError:
                self._plan.cancel()
                await self._wait(self._tasks)
                raise
        if not self._plan.results:
            await self.aclose()
        return self._plan.take(StopAsyncIteration)

    def cancel(self) -> None:
        self._plan.cancel()
        self._changed.set()

    async def aclose(self) -> None:
        self._plan.cancel()
        await self._wait(task for task, work in self._tasks.items() if work.is_poll)
        self._plan.end()

    def _submit(self) -> None:
        while (work := self._plan.next_work()) is not None:
            task = asyncio.create_task(adrive(work.steps, self._perform))
            self._tasks[task] = work
            self._plan.submitted(work)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Polled | None]) -> None:
        work = self._tasks.pop(task)
        # It may have been cancelled before its first step.
        if task.cancelled():
            self._plan.break_off(work, asyncio.CancelledError())
        else:
            self._plan.finish(work, task.exception() or task.result())
        self._changed.set()

    async def _wait(self, cancelled: Iterable[asyncio.Task[Polled | None]]) -> None:
        """Wait for all tasks, of which some are cancelled first."""
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class ThreadedExecutorRun(AsyncStopRun):
    """A run in an executor, advanced in a thread: the iterable and the executor may block.

    A wait that is cancelled leaves the thread running. The next one waits for the same thread.
    """

    def __init__(self, runner: ExecutorRunner) -> None:
        self.run_id: str = runner.plan.run_id
        self._runner = runner
        self._advance: asyncio.Future[bool] | None = None

    async def __anext__(self) -> StopResult:
        # A thread that worked for a cancelled wait may have ended, and its result have been taken.
        plan = self._runner.plan
        while not plan.results:
            if not await self._advanced():
                await self.aclose()
                break
        return plan.take(StopAsyncIteration)

    def cancel(self) -> None:
        self._runner.cancel()

    async def aclose(self) -> None:
        self._runner.cancel()
        if self._advance is not None:
            self._runner.cancel_pending()
            await self._advanced()
        await asyncio.to_thread(self._runner.shutdown)

    async def _advanced(self) -> bool:
        """Wait until there is a result, in the one thread that may work on the run."""
        if self._advance is None:
            self._advance = asyncio.ensure_future(asyncio.to_thread(self._runner.advance))
        try:
            return await asyncio.shield(self._advance)
        finally:
            if self._advance.done():
                self._advance = None
