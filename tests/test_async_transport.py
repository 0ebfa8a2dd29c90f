from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from nimble_stop import AsyncNimbleClient
from nimble_stop._async_transport import AsyncTransport, _Progress, _read_fields
from nimble_stop._authentication import WireRequest
from nimble_stop._engine import Send
from nimble_stop._http import AnswerError
from nimble_stop.exceptions import ConnectionFailedError, ConnectionLostError, ReadTimeoutError
from tests.support.clients import REGION, credentials, make_config
from tests.support.scripted import HANG_GUARD, Peer, ScriptedServer, always, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nimble_stop._protocol import Response
    from tests.support.clock import ManualClock

GOOD, EVIL = answer(b"good"), answer(b"evil")


def send(url: str, **limits: float) -> Send:
    """Make a request with generous limits."""
    wire = WireRequest(
        method="POST",
        url=f"{url}/path?a=b%20c",
        target="/path?a=b%20c",
        headers={"Host": "h", "Content-Length": "2", "X-Odd": "a;  b"},
        body=b"{}",
        secrets=(),
    )
    given = {"connect": HANG_GUARD, "read": HANG_GUARD, "total": HANG_GUARD, **limits}
    return Send(wire, given["connect"], given["read"], given["total"])


def run(
    clock: ManualClock,
    url: str,
    main: Callable[[AsyncTransport], Coroutine[Any, Any, None]],
    **settings: Any,  # noqa: ANN401 - a configuration's own fields
) -> None:
    """Run a test with a transport, and close it."""

    async def with_transport() -> None:
        transport = AsyncTransport(make_config(clock, url, **settings))
        try:
            await main(transport)
        finally:
            await transport.close()

    asyncio.run(with_transport())


def test_sent_as_it_is(clock: ManualClock) -> None:
    """The request goes out with its own target, headers and body, and nothing is added."""

    async def main(transport: AsyncTransport) -> None:
        response = await transport.exchange(send(server.url))
        assert (response.status, response.body, response.resent) == (200, b"good", False)

    with ScriptedServer(always(GOOD)) as server:
        run(clock, server.url, main)
    (request,) = server.requests
    assert request.line == "POST /path?a=b%20c HTTP/1.1"
    assert request.headers == {"host": "h", "content-length": "2", "x-odd": "a;  b"}
    assert request.body == b"{}"


@pytest.mark.parametrize(("most", "kept"), [(1, 1), (2, 2), (10, 4)])
def test_most_kept(most: int, kept: int, clock: ManualClock) -> None:
    """Of many connections at the same time so many are kept as was asked for."""
    together = threading.Barrier(4)

    def script(peer: Peer) -> None:
        peer.read_request()
        together.wait(HANG_GUARD)
        peer.send(GOOD)
        always(GOOD)(peer)

    async def main(transport: AsyncTransport) -> None:
        await asyncio.gather(*(transport.exchange(send(server.url)) for _ in range(4)))
        (session,) = transport._open.values()
        connector = session.connector
        assert connector is not None
        assert sum(map(len, connector._conns.values())) == kept
        await transport.exchange(send(server.url))
        assert server.connections == 4

    with ScriptedServer(script) as server:
        run(clock, server.url, main, max_connections=most)


def test_closed_connections_make_room(clock: ManualClock) -> None:
    """Connections that have been closed do not count among those that are kept."""

    def leaving(peer: Peer) -> None:
        peer.read_request()
        peer.send(GOOD)

    async def main(transport: AsyncTransport) -> None:
        for _ in range(6):
            await transport.exchange(send(server.url))
        assert server.connections == 4

    with ScriptedServer(leaving, leaving, leaving, always(GOOD)) as server:
        run(clock, server.url, main, max_connections=1)


def test_bytes_that_the_loop_has_not_seen(clock: ManualClock) -> None:
    """What arrived on a kept connection while the loop was busy is nobody's answer either."""
    go, sent = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(GOOD)
        go.wait(HANG_GUARD)
        peer.send(EVIL)
        sent.set()
        peer.wait_until_closed()

    async def main(transport: AsyncTransport) -> None:
        await transport.exchange(send(server.url))
        go.set()
        # It blocks the loop on purpose.
        assert sent.wait(HANG_GUARD)
        assert (await transport.exchange(send(server.url))).body == b"good"

    with ScriptedServer(script, always(GOOD)) as server:
        run(clock, server.url, main)
        assert server.connections == 2


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
    ids=["chunks", "interim", "no body"],
)
def test_lengths_that_cannot_be_checked(first: bytes, clock: ManualClock) -> None:
    """A connection whose answer did not tell its length beforehand is not used again."""

    async def main(transport: AsyncTransport) -> None:
        assert (await transport.exchange(send(server.url))).body in {b"good", b""}
        assert (await transport.exchange(send(server.url))).body == b"good"

    with ScriptedServer(always(first), always(GOOD)) as server:
        run(clock, server.url, main)
        assert server.connections == 2


def test_answer_in_pieces(clock: ManualClock) -> None:
    """However an answer is cut into packets, its connection is used again."""

    def script(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.trickle(GOOD, 0.0)

    async def main(transport: AsyncTransport) -> None:
        for _ in range(3):
            assert (await transport.exchange(send(server.url))).body == b"good"

    with ScriptedServer(script) as server:
        run(clock, server.url, main)
        assert server.connections == 1


def test_answer_that_broke_off_is_not_repeated(clock: ManualClock) -> None:
    """A kept connection that breaks after the first byte costs an attempt."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(GOOD)
        peer.read_request()
        peer.send(b"H")

    async def main(transport: AsyncTransport) -> None:
        await transport.exchange(send(server.url))
        with pytest.raises(ConnectionLostError):
            await transport.exchange(send(server.url))

    with ScriptedServer(script, always(GOOD)) as server:
        run(clock, server.url, main)
        assert server.connections == 1


@pytest.mark.parametrize("limit", ["read", "total"])
def test_limits(limit: str, clock: ManualClock) -> None:
    """Either limit ends an exchange that gets no answer."""

    async def main(transport: AsyncTransport) -> None:
        with pytest.raises(ReadTimeoutError):
            await transport.exchange(send(server.url, **{limit: 0.05}))

    with ScriptedServer() as server:
        run(clock, server.url, main)


def test_read_limit_begins_with_the_connection(clock: ManualClock) -> None:
    """The time that connecting may take does not prolong the time for the answer."""

    async def main(transport: AsyncTransport) -> None:
        started = asyncio.get_running_loop().time()
        with pytest.raises(ReadTimeoutError):
            await transport.exchange(send(server.url, connect=HANG_GUARD, read=0.05))
        assert asyncio.get_running_loop().time() - started < HANG_GUARD

    with ScriptedServer() as server:
        run(clock, server.url, main)


def test_errors_hold_nothing_of_aiohttp(clock: ManualClock) -> None:
    """The errors of aiohttp, which hold the request's headers, are no context of ours."""

    async def main(transport: AsyncTransport) -> None:
        with pytest.raises(ConnectionLostError) as failure:
            await transport.exchange(send(server.url))
        assert not isinstance(failure.value.__context__, aiohttp.ClientError)
        assert failure.value.__cause__ is None

    with ScriptedServer(always(b"220 no HTTP\r\n\r\n")) as server:
        run(clock, server.url, main)


def test_framing_that_is_ambiguous(clock: ManualClock) -> None:
    """An answer that tells two ways where it ends is refused, whatever aiohttp makes of it."""

    class Reply:
        raw_headers = ((b"Content-Length", b"4"), (b"Transfer-Encoding", b"chunked"))

    reply: Any = Reply()
    with pytest.raises(AnswerError, match="ambiguous"):
        _read_fields(reply)

    async def main(transport: AsyncTransport) -> None:
        await transport.exchange(send(server.url))
        (session,) = transport._open.values()
        request = session.request

        def pretend(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - aiohttp's own
            context = request(*args, **options)
            enter = context.__aenter__

            async def lie() -> Any:  # noqa: ANN401 - likewise
                answered = await enter()
                answered._raw_headers = Reply.raw_headers
                return answered

            return _Context(lie, context.__aexit__)

        session.request = pretend  # type: ignore[method-assign]
        with pytest.raises(ConnectionLostError, match="ambiguous"):
            await transport.exchange(send(server.url))

    with ScriptedServer(always(GOOD)) as server:
        run(clock, server.url, main)


class _Context:
    """A context manager made of its two methods."""

    def __init__(self, enter: Any, leave: Any) -> None:  # noqa: ANN401 - coroutine functions
        self._enter, self._leave = enter, leave

    async def __aenter__(self) -> Any:  # noqa: ANN401 - whatever it gives
        return await self._enter()

    async def __aexit__(self, *error: object) -> Any:  # noqa: ANN401 - likewise
        return await self._leave(*error)


def test_foreign_handler(clock: ManualClock) -> None:
    """A connection whose bytes nobody counts is not used at all."""

    async def main(transport: AsyncTransport) -> None:
        await transport._session()
        (session,) = transport._open.values()
        connector: Any = session.connector
        connector._factory = partial(ResponseHandler, loop=asyncio.get_running_loop())
        with pytest.raises(ConnectionFailedError):
            await transport.exchange(send(server.url))

    with ScriptedServer(always(GOOD)) as server:
        run(clock, server.url, main)
        assert server.requests == []


def test_time_is_over_at_that_moment() -> None:
    """A connection that is there when the time has just passed changes nothing any more."""

    async def run_out() -> None:
        timeout = asyncio.timeout(0)
        progress = _Progress(send("http://127.0.0.1:1"), timeout)
        async with timeout:
            try:
                await asyncio.sleep(HANG_GUARD)
            finally:
                progress.begin()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await run_out()

    asyncio.run(main())


def test_closed_while_in_use(clock: ManualClock) -> None:
    """Closing ends what is under way, and nothing begins afterwards."""
    asked = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        asked.set()
        peer.wait_until_closed()

    async def main(transport: AsyncTransport) -> None:
        call: asyncio.Task[Response] = asyncio.create_task(transport.exchange(send(server.url)))
        await asyncio.to_thread(asked.wait, HANG_GUARD)
        await transport.close()
        with pytest.raises(ConnectionLostError):
            await call
        with pytest.raises(ConnectionFailedError, match="closed") as failure:
            await transport.exchange(send(server.url))
        assert failure.value.retryable is False

    with ScriptedServer(script) as server:
        run(clock, server.url, main)


def test_memory_of_loops(clock: ManualClock) -> None:
    """Event loops that have ended are not kept."""
    with ScriptedServer(always(answer())) as server:
        client = AsyncNimbleClient(
            endpoint_url=server.url,
            region_name=REGION,
            credentials=credentials(),
            runtime=clock.runtime,
        )
        for _ in range(3):
            asyncio.run(stop(client))
        assert not client._transport._open


async def stop(client: AsyncNimbleClient) -> None:
    """Stop a session."""
    await client.stop_session("studio-1", "session-1")
