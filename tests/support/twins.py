"""The sync and the async client behind one face, so that a test runs over both."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from nimble_stop import AsyncNimbleClient, NimbleClient

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nimble_stop import StopResult, StreamingSession


class SyncTwin:
    """`NimbleClient`, as it is."""

    def __init__(self, client: NimbleClient) -> None:
        self.client: NimbleClient | AsyncNimbleClient = client
        self._client = client

    @classmethod
    def make(cls, **options: Any) -> Self:  # noqa: ANN401 - a client's own arguments
        """Make a client."""
        return cls(NimbleClient(**options))

    def end(self) -> None:
        """Close it, and what it runs in."""
        self.close()

    def close(self) -> None:
        """Close it."""
        self._client.close()

    def stop(self, session_id: str = "session-1", **options: Any) -> StreamingSession:  # noqa: ANN401 - a method's own arguments
        """Stop a session."""
        return self._client.stop_session("studio-1", session_id, **options)

    def get(self, session_id: str = "session-1", **options: Any) -> StreamingSession:  # noqa: ANN401 - likewise
        """Read a session."""
        return self._client.get_session("studio-1", session_id, **options)

    def list_all(self, **options: Any) -> list[StreamingSession]:  # noqa: ANN401 - likewise
        """List all sessions."""
        return list(self._client.list_sessions("studio-1", **options))

    def wait(self, session_id: str = "session-1", **options: Any) -> StreamingSession:  # noqa: ANN401 - likewise
        """Wait until a session has stopped."""
        return self._client.wait_until_stopped("studio-1", session_id, **options)

    def stop_all(self, session_ids: Iterable[str], **options: Any) -> list[StopResult]:  # noqa: ANN401 - likewise
        """Stop many sessions."""
        return list(self._client.stop_sessions("studio-1", session_ids, **options))

    def stop_together(self, count: int) -> list[str | None]:
        """Stop so many sessions at the same time."""
        with ThreadPoolExecutor(count) as pool:
            sessions = [pool.submit(self.stop) for _ in range(count)]
            return [each.result().session_id for each in sessions]

    def with_options(self, **options: Any) -> SyncTwin:  # noqa: ANN401 - likewise
        """Make a copy with other options."""
        return SyncTwin(self._client.with_options(**options))


class AsyncTwin:
    """`AsyncNimbleClient`, in an event loop that runs only while a method does."""

    def __init__(self, client: AsyncNimbleClient, runner: asyncio.Runner) -> None:
        self.client: NimbleClient | AsyncNimbleClient = client
        self._client = client
        self._runner = runner

    @classmethod
    def make(cls, **options: Any) -> Self:  # noqa: ANN401 - a client's own arguments
        """Make a client."""
        return cls(AsyncNimbleClient(**options), asyncio.Runner())

    def end(self) -> None:
        """Close it, and what it runs in."""
        self.close()
        self._runner.close()

    def close(self) -> None:
        """Close it."""
        self._runner.run(self._client.aclose())

    def stop(self, session_id: str = "session-1", **options: Any) -> StreamingSession:  # noqa: ANN401 - a method's own arguments
        """Stop a session."""
        return self._runner.run(self._client.stop_session("studio-1", session_id, **options))

    def get(self, session_id: str = "session-1", **options: Any) -> StreamingSession:  # noqa: ANN401 - likewise
        """Read a session."""
        return self._runner.run(self._client.get_session("studio-1", session_id, **options))

    def list_all(self, **options: Any) -> list[StreamingSession]:  # noqa: ANN401 - likewise
        """List all sessions."""

        async def collect() -> list[StreamingSession]:
            return [each async for each in self._client.list_sessions("studio-1", **options)]

        return self._runner.run(collect())

    def wait(self, session_id: str = "session-1", **options: Any) -> StreamingSession:  # noqa: ANN401 - likewise
        """Wait until a session has stopped."""
        return self._runner.run(self._client.wait_until_stopped("studio-1", session_id, **options))

    def stop_all(self, session_ids: Iterable[str], **options: Any) -> list[StopResult]:  # noqa: ANN401 - likewise
        """Stop many sessions."""

        async def collect() -> list[StopResult]:
            run = self._client.stop_sessions("studio-1", session_ids, **options)
            return [each async for each in run]

        return self._runner.run(collect())

    def stop_together(self, count: int) -> list[str | None]:
        """Stop so many sessions at the same time."""

        async def stop() -> list[StreamingSession]:
            calls = (self._client.stop_session("studio-1", "session-1") for _ in range(count))
            return await asyncio.gather(*calls)

        return [session.session_id for session in self._runner.run(stop())]

    def with_options(self, **options: Any) -> AsyncTwin:  # noqa: ANN401 - likewise
        """Make a copy with other options."""
        return AsyncTwin(self._client.with_options(**options), self._runner)


Twin = SyncTwin | AsyncTwin
