from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from nimble_stop import AsyncNimbleClient
from nimble_stop._auth.signer import WireRequest
from nimble_stop._call.steps import Send
from nimble_stop._transport.async_transport import AsyncTransport, _Handler
from nimble_stop._transport.http import AnswerError
from nimble_stop.exceptions import (
    ConnectionFailedError,
    ConnectionLostError,
    ProxyError,
    ReadTimeoutError,
)
from tests.support.clients import REGION, credentials, make_config
from tests.support.scripted import (
    DATA,
    HANG_GUARD,
    Peer,
    ScriptedServer,
    always,
    answer,
    hang_up,
    server_tls,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nimble_stop._api.response import Response
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
        (pool,) = transport._pools.values()
        assert sum(map(len, pool.connector._conns.values())) == kept
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
    "data",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
    ids=["chunks", "interim", "no body"],
)
def test_other_framings(data: bytes, clock: ManualClock) -> None:
    """However an answer tells where it ends, its connection is used again."""

    async def main(transport: AsyncTransport) -> None:
        for _ in range(3):
            assert (await transport.exchange(send(server.url))).body in {b"good", b""}

    with ScriptedServer(always(data)) as server:
        run(clock, server.url, main)
        assert server.connections == 1


def test_answer_that_ends_with_the_connection(clock: ManualClock) -> None:
    """Without any framing the end of the connection is the end of the answer."""

    async def main(transport: AsyncTransport) -> None:
        assert (await transport.exchange(send(server.url))).body == b"good"

    with ScriptedServer(hang_up(b"HTTP/1.1 200 OK\r\n\r\ngood")) as server:
        run(clock, server.url, main)


def test_server_that_speaks_first(clock: ManualClock) -> None:
    """What comes before the request is part of what is read: a greeting is no answer."""

    async def main(transport: AsyncTransport) -> None:
        pool = await transport._pool()
        take = transport._take

        async def take_late(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - its own
            connection = await take(*args, **options)
            # The loop is held up on purpose, and then sees the greeting before the request.
            assert greeted.wait(HANG_GUARD)
            for _ in range(3):
                await asyncio.sleep(0)
            return connection

        transport._take = take_late  # type: ignore[method-assign]
        with pytest.raises(ConnectionLostError, match="220 mail"):
            await transport.exchange(send(server.url))
        assert not pool.connector._conns

    def greet(peer: Peer) -> None:
        peer.send(b"220 mail.example ESMTP\r\n\r\n")
        greeted.set()
        peer.wait_until_closed()

    greeted = threading.Event()
    with ScriptedServer(greet) as server:
        run(clock, server.url, main)


def test_closed_before_it_is_asked() -> None:
    """A connection that is closed by the time it is asked says so."""

    async def main() -> None:
        handler = _Handler(asyncio.get_running_loop())
        with pytest.raises(ConnectionResetError):
            await handler.ask(memoryview(b""), 0.0)

    asyncio.run(main())


class Echo(asyncio.Transport):
    """A transport that answers by itself, at once."""

    def __init__(self, handler: _Handler) -> None:
        super().__init__()
        self._handler = handler

    def write(self, data: object) -> None:  # noqa: ARG002 - the signature of a transport
        """Answer, whatever it is, and have the time be over too."""
        self._handler.data_received(b"no HTTP\r\n\r\n")
        self._handler._fail(TimeoutError())


def test_time_out_beside_another_failure() -> None:
    """When the time is over in the same turn of the loop as the answer broke off, one counts."""

    async def main() -> None:
        handler = _Handler(asyncio.get_running_loop())
        handler.transport = Echo(handler)
        with pytest.raises(AnswerError):
            await handler.ask(memoryview(b""), asyncio.get_running_loop().time() + HANG_GUARD)

    asyncio.run(main())


def test_unasked_bytes_close_the_connection(clock: ManualClock) -> None:
    """What comes on an idle connection ends it."""
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(GOOD)
        go.wait(HANG_GUARD)
        peer.send(EVIL)
        peer.wait_until_closed()
        closed.set()

    async def main(transport: AsyncTransport) -> None:
        await transport.exchange(send(server.url))
        go.set()
        assert await asyncio.to_thread(closed.wait, HANG_GUARD)

    closed = threading.Event()
    with ScriptedServer(script) as server:
        run(clock, server.url, main)


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


def test_foreign_handler(clock: ManualClock) -> None:
    """A connection whose answers we would not read is not used at all."""

    async def main(transport: AsyncTransport) -> None:
        connector: Any = (await transport._pool()).connector
        connector._factory = partial(ResponseHandler, loop=asyncio.get_running_loop())
        with pytest.raises(ConnectionFailedError):
            await transport.exchange(send(server.url))

    with ScriptedServer(always(GOOD)) as server:
        run(clock, server.url, main)
        assert server.requests == []


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


@pytest.mark.parametrize("cancelled", [False, True])
def test_closed_while_looking_up(
    cancelled: bool,  # noqa: FBT001
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Closing ends a name lookup with an error; it does not look as if the call was cancelled."""
    asked, go = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> None:
        asked.set()
        go.wait(HANG_GUARD)
        raise OSError("too late")

    async def main(transport: AsyncTransport) -> None:
        call: asyncio.Task[Response] = asyncio.create_task(transport.exchange(send(url)))
        await asyncio.to_thread(asked.wait, HANG_GUARD)
        if cancelled:
            call.cancel()
        await transport.close()
        with pytest.raises(asyncio.CancelledError if cancelled else ConnectionFailedError):
            await call
        go.set()

    url = "http://slow.example"
    monkeypatch.setattr("socket.getaddrinfo", look_up)
    run(clock, url, main)


def test_dropped_at_once(clock: ManualClock) -> None:
    """A connection that is given up does not wait for the peer's part of TLS's farewell."""
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        go.wait(HANG_GUARD)

    async def main(transport: AsyncTransport) -> None:
        take = transport._take
        sockets: list[Any] = []

        async def take_and_tell(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - its own
            connection = await take(*args, **options)
            assert connection.transport is not None
            sockets.append(connection.transport.get_extra_info("socket"))
            return connection

        transport._take = take_and_tell  # type: ignore[method-assign]
        with pytest.raises(ReadTimeoutError):
            await transport.exchange(send(server.url, read=0.1))
        for _ in range(3):
            await asyncio.sleep(0)
        assert [each.fileno() for each in sockets] == [-1]

    with ScriptedServer(script, tls=server_tls()) as server:
        run(clock, server.url, main, ca_bundle=str(DATA / "server.crt"))
        go.set()


def test_proxy_that_never_ends(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a proxy says before there is a tunnel is not kept without bounds."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    async def main(transport: AsyncTransport) -> None:
        with pytest.raises(ProxyError):
            await transport.exchange(send("https://localhost:8443"))

    with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        run(clock, "https://localhost:8443", main)


def test_memory_of_closed_loops(clock: ManualClock) -> None:
    """Nor are event loops kept that were closed without a word to their generators."""
    with ScriptedServer(always(answer())) as server:
        transport = AsyncTransport(make_config(clock, server.url))
        loops = [asyncio.new_event_loop() for _ in range(3)]
        for loop in loops:
            loop.run_until_complete(transport.exchange(send(server.url)))
            loop.run_until_complete(transport._pools[loop].connector.close())
            loop.close()
        assert list(transport._pools) == list(transport._holders) == loops[2:]


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
        assert not client._transport._pools


async def stop(client: AsyncNimbleClient) -> None:
    """Stop a session."""
    await client.stop_session("studio-1", "session-1")
