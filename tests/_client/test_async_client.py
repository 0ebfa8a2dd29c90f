from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from botocore.credentials import Credentials, RefreshableCredentials

from nimble_stop import AsyncNimbleClient, Runtime
from nimble_stop.exceptions import ConfigurationError, NimbleStopError, ThrottlingException
from nimble_stop.local import LocalNimble
from tests.support.clients import REGION, credentials
from tests.support.scripted import (
    HANG_GUARD,
    Peer,
    Received,
    ScriptedServer,
    always,
    answer,
    error_answer,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from botocore.credentials import ReadOnlyCredentials

    from nimble_stop import AttemptRecord, StreamingSession
    from tests.support.clock import ManualClock


def make_client(url: str, **options: Any) -> AsyncNimbleClient:  # noqa: ANN401 - a client's own arguments
    """Make a client."""
    given: dict[str, Any] = {"credentials": credentials(), "region_name": REGION, **options}
    return AsyncNimbleClient(endpoint_url=url, **given)


def own_answer(request: Received) -> bytes:
    """Answer with the session that the request names."""
    return answer({"session": {"sessionId": request.target.split("/")[-2]}})


def echo(peer: Peer) -> None:
    """Answer each stop with its own session, in three pieces."""
    while True:
        data = own_answer(peer.read_request())
        for piece in (data[:20], data[20:-5], data[-5:]):
            peer.send(piece)


# Credentials


async def while_ticking(call: Awaitable[StreamingSession], go: threading.Event) -> None:
    """Await a call that cannot go on before the loop has done something else."""

    async def tick() -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        go.set()

    await asyncio.gather(call, tick())


class Slow(Credentials):
    """Credentials of somebody's own that take their time."""

    def __init__(self, go: threading.Event) -> None:
        super().__init__("AKIA", "secret")
        self._go = go

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Wait until they may be had."""
        assert self._go.wait(HANG_GUARD / 4)
        return super().get_frozen_credentials()


def refreshable(go: threading.Event) -> RefreshableCredentials:
    """Make credentials whose refresh waits."""

    def refresh() -> dict[str, str]:
        assert go.wait(HANG_GUARD / 4)
        expiry = datetime.now(UTC) + timedelta(hours=1)
        return {
            "access_key": "AKIA",
            "secret_key": "secret",
            "token": "token",
            "expiry_time": expiry.isoformat(),
        }

    return RefreshableCredentials.create_from_metadata(
        {
            "access_key": "a",
            "secret_key": "b",
            "token": "c",
            "expiry_time": "2020-01-01T00:00:00Z",
        },
        refresh,
        "test",
    )


@pytest.mark.parametrize("make", [Slow, refreshable])
def test_slow_credentials(make: Callable[[threading.Event], Credentials]) -> None:
    """Credentials that take their time never block the event loop."""
    go = threading.Event()

    async def main(url: str) -> None:
        async with make_client(url, credentials=make(go)) as client:
            await while_ticking(client.stop_session("studio-1", "session-1"), go)

    with ScriptedServer(always(answer())) as server:
        asyncio.run(main(server.url))
        assert "Credential=AKIA/" in server.requests[0].headers["authorization"]


def test_credentials_that_cannot_be_refreshed_yet() -> None:
    """A refresh that fails while the old credentials are still good blocks no loop either."""
    threads: set[int] = set()

    def refresh() -> dict[str, str]:
        threads.add(threading.get_ident())
        raise OSError("no network")

    soon = datetime.now(UTC) + timedelta(minutes=12)
    expiring = RefreshableCredentials("AKIA", "secret", "token", soon, refresh, "test")

    async def main(url: str) -> None:
        async with make_client(url, credentials=expiring) as client:
            await client.stop_session("studio-1", "session-1")

    with ScriptedServer(always(answer())) as server:
        asyncio.run(main(server.url))
    assert threads
    assert threading.get_ident() not in threads


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing credentials are an error of the first call, and searched outside the loop."""
    threads: set[int] = set()

    def find(_: str | None) -> None:
        threads.add(threading.get_ident())
        raise ConfigurationError("none")

    monkeypatch.setattr("nimble_stop._auth.credentials._find_credentials", find)

    async def main() -> None:
        async with make_client("http://127.0.0.1:1", credentials=None) as client:
            with pytest.raises(ConfigurationError) as failure:
                await client.stop_session("studio-1", "session-1")
            assert failure.value.attempts == 0

    asyncio.run(main())
    assert threads
    assert threading.get_ident() not in threads


# Sleep


def test_awaited_sleep(clock: ManualClock) -> None:
    """A runtime's sleep may be a coroutine function, or a plain one."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)
        slept.append(seconds)

    async def main(url: str, runtime: Runtime) -> None:
        async with make_client(url, runtime=runtime) as client:
            with pytest.raises(ThrottlingException):
                await client.stop_session("studio-1", "session-1")

    with ScriptedServer(always(error_answer(429, "ThrottlingException"))) as server:
        asyncio.run(main(server.url, attrs.evolve(clock.runtime, sleep=sleep)))
        asyncio.run(main(server.url, clock.runtime))
    assert slept == clock.slept == pytest.approx([0.5, 1.0])


def test_sleep_lets_others_run() -> None:
    """Between attempts the loop is free, and the call can be cancelled."""
    answered = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(error_answer(503, "ServiceUnavailable", retry_after="20"))
        answered.set()
        peer.read_request()

    async def main(url: str) -> None:
        async with make_client(url) as client:
            call = asyncio.create_task(client.stop_session("studio-1", "session-1"))
            # The server answers once; the next attempt is 20 seconds away.
            await asyncio.to_thread(answered.wait, HANG_GUARD)
            await asyncio.sleep(0.02)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    with ScriptedServer(script) as server:
        asyncio.run(main(server.url))
        assert len(server.requests) == 1


# Many at once


def test_tasks_share_a_client() -> None:
    """Each of a hundred tasks gets its own answer."""

    async def main(url: str) -> None:
        async with make_client(url) as client:

            async def stop(number: int) -> None:
                for turn in range(3):
                    name = f"s{number}-{turn}"
                    assert (await client.stop_session("studio-1", name)).session_id == name

            await asyncio.gather(*(stop(number) for number in range(100)))

    with ScriptedServer(echo) as server:
        asyncio.run(main(server.url))
        assert len(server.requests) == 300


def test_task_group() -> None:
    """In a TaskGroup the failure of one call ends the others, and each says how to resume."""
    notes: list[str] = []

    def script(peer: Peer) -> None:
        request = peer.read_request()
        if "bad" in request.target:
            while len(server.requests) < 4:
                threading.Event().wait(0.001)
            peer.send(error_answer(403, "AccessDeniedException"))
        peer.wait_until_closed()

    async def stop(client: AsyncNimbleClient, name: str) -> None:
        try:
            await client.stop_session("studio-1", name, client_token=f"token-{name}")
        except asyncio.CancelledError as error:
            notes.extend(error.__notes__)
            raise

    async def stop_all(client: AsyncNimbleClient) -> None:
        async with asyncio.TaskGroup() as group:
            for name in ("a", "b", "c", "bad"):
                group.create_task(stop(client, name))

    async def main(url: str) -> None:
        async with make_client(url) as client:
            with pytest.raises(ExceptionGroup) as failure:
                await stop_all(client)
            (error,) = failure.value.exceptions
            assert isinstance(error, NimbleStopError)
            assert error.client_token == "token-bad"

    with ScriptedServer(script) as server:
        asyncio.run(main(server.url))
    assert sorted(notes) == [
        f"StopStreamingSession was interrupted in attempt 1; repeat it with "
        f"client_token='token-{name}'"
        for name in "abc"
    ]


def test_asyncio_timeout() -> None:
    """`asyncio.timeout` ends a call, and the client is usable afterwards."""

    def silent_once(peer: Peer) -> None:
        peer.read_request()
        peer.wait_until_closed()

    async def main(url: str) -> None:
        async with make_client(url) as client:
            with pytest.raises(TimeoutError) as failure:
                async with asyncio.timeout(0.05):
                    await client.stop_session("studio-1", "s", client_token="token-1")
            # Before Python 3.11.4 it is not the cause too.
            assert failure.value.__context__ is not None
            assert "'token-1'" in failure.value.__context__.__notes__[0]
            assert (await client.stop_session("studio-1", "s2")).session_id == "s2"

    with ScriptedServer(silent_once, echo) as server:
        asyncio.run(main(server.url))
        assert server.connections == 2


# Cancellation


async def steps(number: int) -> None:
    """Let the loop take some steps, the later ones with a little time."""
    for step in range(number):
        await asyncio.sleep(0 if step < 20 else 0.0005)


def pieces(peer: Peer) -> None:
    """Answer each stop with its own session, byte group by byte group."""
    while True:
        data = own_answer(peer.read_request())
        for start in range(0, len(data), 16):
            peer.send(data[start : start + 16])
            threading.Event().wait(0.0005)


@pytest.mark.parametrize("kept", [False, True], ids=["new connection", "kept connection"])
def test_cancelled_anywhere(kept: bool) -> None:  # noqa: FBT001
    """Cancelled at any step, a call leaves no task and nothing half-read, and names its token."""
    ends = {"cancelled": 0, "done": 0}

    async def cancel_after(client: AsyncNimbleClient, number: int) -> None:
        name = f"s{number}"
        call = asyncio.create_task(
            client.stop_session("studio-1", name, client_token=f"token-{number}")
        )
        await steps(number)
        call.cancel()
        await asyncio.wait([call])
        if not call.cancelled():
            ends["done"] += 1
            assert call.result().session_id == name
        elif number:
            # A task that never ran had not begun the call.
            ends["cancelled"] += 1
            with pytest.raises(asyncio.CancelledError) as failure:
                call.result()
            assert any(f"'token-{number}'" in note for note in failure.value.__notes__)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def main(url: str) -> None:
        for number in range(60):
            async with make_client(url) as client:
                if kept:
                    await client.stop_session("studio-1", "first")
                await cancel_after(client, number)
                # Whatever came of it, the next call gets its own answer.
                after = await client.stop_session("studio-1", f"after-{number}")
                assert after.session_id == f"after-{number}"

    with ScriptedServer(pieces) as server:
        asyncio.run(main(server.url))
        assert wait_until_all_closed(server)
    assert ends["cancelled"] > 10
    assert sum(ends.values()) == 59


def wait_until_all_closed(server: ScriptedServer) -> bool:
    """Say whether the client has closed all its connections."""
    for thread in server._threads[1:]:
        thread.join(HANG_GUARD)
    return not any(thread.is_alive() for thread in server._threads[1:])


def test_cancelled_while_waiting_for_credentials() -> None:
    """Cancelling does not wait for credentials that take their time."""
    go = threading.Event()

    async def main() -> None:
        async with make_client("http://127.0.0.1:1", credentials=Slow(go)) as client:
            call = asyncio.create_task(client.stop_session("studio-1", "s", client_token="t-1"))
            await steps(5)
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as failure:
                await call
            assert "'t-1'" in failure.value.__notes__[0]
            assert asyncio.all_tasks() == {asyncio.current_task()}
        go.set()

    asyncio.run(main())


def test_cancelled_wait(clock: ManualClock) -> None:
    """A wait can be cancelled between two polls."""

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    async def main(url: str) -> None:
        async with make_client(url, runtime=attrs.evolve(clock.runtime, sleep=sleep)) as client:
            call = asyncio.create_task(client.wait_until_stopped("studio-1", "s"))
            await asleep.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asleep = asyncio.Event()
    with ScriptedServer(always(answer())) as server:
        asyncio.run(main(server.url))


def test_list_left_early() -> None:
    """A list that is left in the middle leaves nothing behind."""
    page = answer({"sessions": [{"sessionId": "a"}, {"sessionId": "b"}], "nextToken": "1"})

    async def main(url: str) -> None:
        async with make_client(url) as client:
            sessions: AsyncIterator[StreamingSession] = client.list_sessions("studio-1")
            async for session in sessions:
                assert session.session_id == "a"
                break
            assert len(server.requests) == 1
            assert asyncio.all_tasks() == {asyncio.current_task()}

    with ScriptedServer(always(page)) as server:
        asyncio.run(main(server.url))


# Event loops


def test_two_loops() -> None:
    """A client works in one event loop after another, with connections of its own in each."""
    with ScriptedServer(echo) as server:
        client = make_client(server.url)

        async def stop(name: str) -> str | None:
            return (await client.stop_session("studio-1", name)).session_id

        assert [asyncio.run(stop(name)) for name in ("a", "b", "c")] == ["a", "b", "c"]
        assert server.connections == 3
        # Each loop took its connections with it.
        assert wait_until_all_closed(server)
        assert not client._transport._open


def test_two_loops_at_once() -> None:
    """Event loops in two threads may use one client at the same time."""
    with LocalNimble() as local:
        client = make_client(local.endpoint_url, credentials=local.credentials)
        for number in range(40):
            local.add_session(studio_id="studio-1", session_id=f"s{number}")

        async def stop_all(start: int) -> None:
            for number in range(start, 40, 2):
                await client.stop_session("studio-1", f"s{number}")

        threads = [
            threading.Thread(target=asyncio.run, args=(stop_all(start),)) for start in (0, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        local.requests.assert_applied(40, operation="StopStreamingSession")


SCRIPT = """
import asyncio, sys
from nimble_stop import AsyncNimbleClient

async def main():
    client = AsyncNimbleClient()
    await asyncio.gather(*(client.get_session("studio-1", "session-1") for _ in range(5)))
    if sys.argv[1] == "aclose":
        await client.aclose()
    elif sys.argv[1] == "cancel":
        call = asyncio.create_task(client.stop_session("studio-1", "session-1"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        call.cancel()

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["aclose", "nothing", "cancel"])
def test_no_warnings(end: str) -> None:
    """However a program ends, nothing is left open, and Python has nothing to warn of."""
    with LocalNimble() as local:
        local.add_session(studio_id="studio-1", session_id="session-1")
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", SCRIPT, end],
            env=local.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_on_attempt() -> None:
    """The callback may be a function or a coroutine function; what it raises is logged."""
    seen: list[int | None] = []

    async def awaited(record: AttemptRecord) -> None:
        await asyncio.sleep(0)
        seen.append(record.http_status)

    def called(record: AttemptRecord) -> None:
        seen.append(record.attempt)
        raise KeyError

    async def main(url: str) -> None:
        for callback in (awaited, called):
            async with make_client(url, on_attempt=callback) as client:
                await client.get_session("a", "b")

    with ScriptedServer(always(answer())) as server:
        asyncio.run(main(server.url))
    assert seen == [200, 1]
