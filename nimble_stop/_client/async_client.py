"""The async client: `NimbleClient`'s twin. All logic is shared; only the waiting differs."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from typing import TYPE_CHECKING, Self, TypeVar

from nimble_stop._api.request import Request, get_request, stop_request
from nimble_stop._call.steps import Effect, Notify, Send, Sign, adrive
from nimble_stop._client.base import BaseClient
from nimble_stop._config.options import MAX_CONCURRENCY, POLL_SECONDS, WAIT_SECONDS
from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from concurrent.futures import Executor

    from nimble_stop._flows.pages import Pages
    from nimble_stop._flows.tasks import AsyncStopRun
    from nimble_stop._transport.aiohttp_transport import AsyncTransport
    from nimble_stop.models import StreamingSession, VolumeRetentionMode

ResultT = TypeVar("ResultT")


class AsyncNimbleClient(BaseClient):
    """The awaited twin of `NimbleClient`: the same arguments, methods and errors. Needs aiohttp.

    Tasks may share a client. It keeps connections open: close it with `aclose`, or use it as an
    async context manager. A call that is cancelled leaves a note on the `asyncio.CancelledError`
    that names its client token; pass a ``client_token`` of your own to know it beforehand.

    All arguments are those of `NimbleClient`. ``on_attempt`` may also return an awaitable, which is
    awaited; so may the ``sleep`` of a `Runtime`.

    Raises:
        ConfigurationError: aiohttp is not installed.
    """

    _transport: AsyncTransport

    def _open(self) -> None:
        try:
            from nimble_stop._transport.aiohttp_transport import AsyncTransport
        except ModuleNotFoundError as missing:
            raise ConfigurationError(
                "AsyncNimbleClient needs the package's extra 'async': pip install "
                f"'nimble-stop[async]'. {missing.name} is not installed."
            ) from missing
        self._transport = AsyncTransport(self._config)

    async def stop_session(
        self,
        studio_id: str,
        session_id: str,
        *,
        retention: VolumeRetentionMode | str | None = None,
        client_token: str | None = None,
        deadline: float | None = None,
    ) -> StreamingSession:
        """Stop a streaming session; see `NimbleClient.stop_session` for arguments and errors."""
        new_token = self._config.runtime.new_id
        request = stop_request(studio_id, session_id, retention, client_token, new_token)
        return await self._call(request, deadline)

    async def get_session(
        self, studio_id: str, session_id: str, *, deadline: float | None = None
    ) -> StreamingSession:
        """Read a streaming session; see `NimbleClient.get_session` for arguments and errors."""
        return await self._call(get_request(studio_id, session_id), deadline)

    def list_sessions(
        self,
        studio_id: str,
        *,
        owned_by: str | None = None,
        created_by: str | None = None,
        session_ids: Iterable[str] | None = None,
        deadline: float | None = None,
    ) -> AsyncIterator[StreamingSession]:
        """List a studio's streaming sessions; see `NimbleClient.list_sessions`."""
        from nimble_stop._flows.pages import Pages

        limit = self._engine.deadline(deadline)
        filters = {"studio_id": studio_id, "owned_by": owned_by, "created_by": created_by}
        return self._walk(Pages(self._engine, limit, filters, session_ids))

    async def wait_until_stopped(
        self,
        studio_id: str,
        session_id: str,
        *,
        deadline: float = WAIT_SECONDS,
        poll_interval: float = POLL_SECONDS,
        on_poll: Callable[[StreamingSession], object] | None = None,
    ) -> StreamingSession:
        """Wait until a session is ``STOPPED``; see `NimbleClient.wait_until_stopped`."""
        from nimble_stop._flows.waiting import wait_until_stopped

        request, limit = get_request(studio_id, session_id), self._engine.deadline(deadline)
        steps = wait_until_stopped(self._engine, request, limit, poll_interval, on_poll)
        return await adrive(steps, self._perform)

    def stop_sessions(
        self,
        studio_id: str,
        session_ids: Iterable[str],
        *,
        retention: VolumeRetentionMode | str | None = None,
        run_id: str | None = None,
        max_concurrency: int = MAX_CONCURRENCY,
        wait: bool = False,
        executor: Executor | None = None,
    ) -> AsyncStopRun:
        """Stop many streaming sessions; see `NimbleClient.stop_sessions`."""
        from nimble_stop._flows.tasks import TaskRun, ThreadedExecutorRun

        options = self._bulk_options(studio_id, retention, run_id, max_concurrency, wait=wait)
        if executor is None:
            return TaskRun(self._engine, self._perform, session_ids, options)
        from nimble_stop._client.sync_client import NimbleClient
        from nimble_stop._flows.executors import ExecutorRunner

        # The workers of an executor have no event loop.
        twin = NimbleClient(credentials=self._credentials.given, **self._arguments())
        stop = twin._run  # pyright: ignore[reportPrivateUsage] - our own class
        runner = ExecutorRunner(executor, stop, session_ids, options, self._engine)
        return ThreadedExecutorRun(runner)

    async def aclose(self) -> None:
        """Close the connections, also those of copies made by `with_options`."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _walk(self, pages: Pages) -> AsyncIterator[StreamingSession]:
        while not pages.exhausted:
            for session in await adrive(pages.next_page(), self._perform):
                yield session

    async def _call(self, request: Request[ResultT], deadline: float | None) -> ResultT:
        return await adrive(
            self._engine.call(request, self._engine.deadline(deadline)), self._perform
        )

    async def _perform(self, effect: Effect) -> object:
        if isinstance(effect, Sign):
            # Credentials come from files, processes or the network: not in the event loop.
            sign = self._signer.sign
            if self._credentials.may_block:
                return await asyncio.to_thread(sign, *effect)
            return sign(*effect)
        if isinstance(effect, Send):
            return await self._transport.exchange(effect)
        if isinstance(effect, Notify):
            with self._logged_failure():
                await _awaited(effect.callback(effect.record))
            return None
        return await _awaited((self._config.runtime.sleep or asyncio.sleep)(effect.seconds))


async def _awaited(value: object) -> object:
    return await value if isawaitable(value) else value
