from __future__ import annotations

import asyncio
import gc
import inspect
import json
import threading
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses

from nimble_stop import AsyncNimbleClient, Timeouts
from nimble_stop._config import network
from nimble_stop._transport import aiohttp_transport as _transport
from nimble_stop.exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectTimeoutError,
    ProxyError,
    ReadTimeoutError,
    ResourceNotFoundException,
    ResponseDecodeError,
    TLSError,
    TransportError,
)
from tests.support.clients import REGION, SECRET_ACCESS_KEY, SESSION_TOKEN, credentials
from tests.support.scripted import (
    DATA,
    HANG_GUARD,
    SESSION,
    Peer,
    ScriptedServer,
    always,
    answer,
    answering,
    server_tls,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from tests.support.clock import ManualClock

URL = "http://api.example:8080"
STOP_URL = f"{URL}/2020-08-01/studios/studio-1/streaming-sessions/session-1/stop"


def make_client(url: str, clock: ManualClock | None = None, **options: Any) -> AsyncNimbleClient:  # noqa: ANN401 - a client's own arguments
    """Make a client; it never sleeps when a clock is given."""
    if clock is not None:
        options["runtime"] = clock.runtime
    options.setdefault("credentials", credentials())
    return AsyncNimbleClient(endpoint_url=url, region_name=REGION, **options)


def run(client: AsyncNimbleClient, main: Callable[[AsyncNimbleClient], Awaitable[None]]) -> None:
    """Run a test with a client, and close it."""

    async def with_client() -> None:
        async with client:
            await main(client)

    asyncio.run(with_client())


async def stop(client: AsyncNimbleClient) -> str | None:
    """Stop the session."""
    session = await client.stop_session("studio-1", "session-1", client_token="token-1")
    return session.session_id


# Who intercepts requests


class MockedResponse(aiohttp.ClientResponse):
    """What `aioresponses` makes its answers of, whatever this version of aiohttp wants besides."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - its own
        parameters = inspect.signature(aiohttp.ClientResponse).parameters.values()
        missing = {
            each.name: Mock(output_size=0)
            for each in parameters
            if each.kind is each.KEYWORD_ONLY and each.default is each.empty
        }
        super().__init__(*args, **{**missing, **kwargs})


def intercepted() -> Any:  # noqa: ANN401 - its types are not annotated
    """Intercept every request of aiohttp."""
    return aioresponses()


def test_intercepted(clock: ManualClock) -> None:
    """`aioresponses` answers in the service's place, and failures are retried."""

    async def main(client: AsyncNimbleClient) -> None:
        with intercepted() as mock:
            mock.post(STOP_URL, status=503, response_class=MockedResponse)
            mock.post(STOP_URL, payload={"session": SESSION}, response_class=MockedResponse)
            assert await stop(client) == "session-1"
            (calls,) = mock.requests.values()
        assert len(calls) == 2
        assert calls[0].kwargs["headers"]["X-Amz-Client-Token"] == "token-1"
        assert calls[0].kwargs["data"] == b"{}"

    run(make_client(URL, clock), main)


def test_intercepted_errors(clock: ManualClock) -> None:
    """Intercepted errors are read like any others; a success without a body cannot be."""

    async def main(client: AsyncNimbleClient) -> None:
        with intercepted() as mock:
            headers = {"X-Amzn-ErrorType": "ResourceNotFoundException"}
            mock.post(STOP_URL, status=404, headers=headers, response_class=MockedResponse)
            with pytest.raises(ResourceNotFoundException):
                await stop(client)
            mock.post(STOP_URL, response_class=MockedResponse)
            with pytest.raises(ResponseDecodeError):
                await stop(client)

    run(make_client(URL, clock), main)


RAISED: list[tuple[Exception, type[TransportError], int]] = [
    (aiohttp.ClientConnectionError("gone"), ConnectionLostError, 3),
    (aiohttp.ServerDisconnectedError(), ConnectionLostError, 3),
    (aiohttp.ClientPayloadError("cut"), ConnectionLostError, 3),
    (aiohttp.ServerTimeoutError("slow"), ReadTimeoutError, 3),
    (TimeoutError("slow"), ReadTimeoutError, 3),
    (ConnectionResetError("gone"), ConnectionLostError, 3),
]


@pytest.mark.parametrize(("raised", "kind", "attempts"), RAISED, ids=repr)
def test_intercepted_exception(
    raised: Exception, kind: type[TransportError], attempts: int, clock: ManualClock
) -> None:
    """An exception in an interceptor's answer comes out as ours, with the other as its cause."""

    async def main(client: AsyncNimbleClient) -> None:
        with intercepted() as mock:
            mock.post(STOP_URL, exception=raised, repeat=True)
            with pytest.raises(kind) as failure:
                await stop(client)
        assert type(failure.value) is kind
        assert failure.value.attempts == attempts
        assert failure.value.__cause__ is raised

    run(make_client(URL, clock), main)


@contextmanager
def observing(
    observe: Callable[[aiohttp.TraceRequestEndParams], Awaitable[None]],
) -> Generator[None]:
    """Have the end of every request of new sessions observed."""
    init = aiohttp.ClientSession.__init__

    async def on_end(_: object, __: object, params: aiohttp.TraceRequestEndParams) -> None:
        await observe(params)

    def traced(self: aiohttp.ClientSession, **options: Any) -> None:  # noqa: ANN401 - its own
        config = aiohttp.TraceConfig()
        config.on_request_end.append(on_end)
        init(self, **options, trace_configs=[config])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "__init__", traced)
        yield


def test_observed(clock: ManualClock) -> None:
    """Whoever observes requests may read all of the response, and the client has it too."""
    seen: list[object] = []

    async def observe(params: aiohttp.TraceRequestEndParams) -> None:
        seen.append(json.loads(await params.response.read()))

    async def main(client: AsyncNimbleClient) -> None:
        with observing(observe):
            assert await stop(client) == "session-1"

    with ScriptedServer(always(answer())) as server:
        run(make_client(server.url, clock), main)
    assert seen == [{"session": SESSION}]


def test_observer_that_fails(clock: ManualClock) -> None:
    """What an observer raises comes out as it is, and is no reason to send a request again."""

    async def observe(_: object) -> None:
        raise ValueError("a mistake of the observer's")

    async def main(client: AsyncNimbleClient) -> None:
        with observing(observe), pytest.raises(ValueError, match="of the observer"):
            await stop(client)

    with ScriptedServer(always(answer())) as server:
        run(make_client(server.url, clock), main)
        assert len(server.requests) == 1


def test_aiohttp_instrumentation(clock: ManualClock) -> None:
    """OpenTelemetry's instrumentation of aiohttp sees every attempt."""
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    async def main(client: AsyncNimbleClient) -> None:
        await stop(client)

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with ScriptedServer(answering(answer({}, status=503), answer())) as server:
            run(make_client(server.url, clock), main)
    finally:
        instrumentor.uninstrument()
    finished = spans.get_finished_spans()
    assert [(span.attributes or {}).get("http.status_code") for span in finished] == [503, 200]


# Connections


@pytest.mark.parametrize(("most", "again"), [(1, 3), (2, 2), (10, 0)])
def test_most_idle(most: int, again: int, clock: ManualClock) -> None:
    """Of many connections at the same time so many are kept as was asked for."""
    together = [threading.Barrier(4), threading.Barrier(4)]

    def script(peer: Peer) -> None:
        for barrier in together:
            peer.read_request()
            barrier.wait(HANG_GUARD)
            peer.send(answer())

    async def main(client: AsyncNimbleClient) -> None:
        for connections in (4, 4 + again):
            await asyncio.gather(*(stop(client) for _ in range(4)))
            assert server.connections == connections

    def fresh(peer: Peer) -> None:
        peer.read_request()
        together[1].wait(HANG_GUARD)
        peer.send(answer())

    with ScriptedServer(script, script, script, script, fresh) as server:
        run(make_client(server.url, clock, max_connections=most), main)


def test_closed_connections_are_forgotten(clock: ManualClock) -> None:
    """Of connections that the server closes nothing is kept."""

    async def main(client: AsyncNimbleClient) -> None:
        before = transports()
        for _ in range(10):
            await stop(client)
        assert transports() - before <= 2

    def transports() -> int:
        gc.collect()
        return sum(isinstance(each, asyncio.Transport) for each in gc.get_objects())

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer(headers={"Connection": "close"}))

    with ScriptedServer(*[script] * 10) as server:
        run(make_client(server.url, clock, max_connections=1), main)


def test_closed_at_once(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is gone by the time it is there is a failed one: nothing was sent."""
    connect = aiohttp.TCPConnector.connect

    async def gone(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - its own
        connection = await connect(*args, **kwargs)
        assert connection.transport is not None
        connection.transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)
        return connection

    async def main(client: AsyncNimbleClient) -> None:
        monkeypatch.setattr(aiohttp.TCPConnector, "connect", gone)
        with pytest.raises(ConnectionFailedError, match="closed at once") as failure:
            await stop(client)
        assert failure.value.outcome_unknown is False
        monkeypatch.undo()

    with ScriptedServer() as server:
        run(make_client(server.url, clock), main)


def test_bytes_that_the_loop_has_not_seen(clock: ManualClock) -> None:
    """What arrived on a kept connection while the loop was busy is nobody's answer."""
    go, sent = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer())
        go.wait(HANG_GUARD)
        peer.send(answer({"session": {"sessionId": "evil"}}))
        sent.set()
        peer.wait_until_closed()

    async def main(client: AsyncNimbleClient) -> None:
        await stop(client)
        go.set()
        # It blocks the loop on purpose.
        assert sent.wait(HANG_GUARD)
        assert await stop(client) == "session-1"

    with ScriptedServer(script, always(answer())) as server:
        run(make_client(server.url, clock), main)
        assert server.connections == 2


def closing(closed: threading.Event) -> Callable[[Peer], None]:
    """Write a script that takes a request and notes when the client closes the connection."""

    def script(peer: Peer) -> None:
        peer.read_request()
        asked.set()
        peer.wait_until_closed()
        closed.set()

    asked = threading.Event()
    vars(script)["asked"] = asked
    return script


@pytest.mark.parametrize("tls", [False, True])
def test_cancelled(tls: bool, clock: ManualClock) -> None:  # noqa: FBT001
    """A cancelled call drops its connection at once, and leaves no frame that holds its request."""
    closed = threading.Event()
    script = closing(closed)

    async def main(client: AsyncNimbleClient) -> None:
        call = asyncio.create_task(stop(client))
        assert await asyncio.to_thread(vars(script)["asked"].wait, HANG_GUARD)
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await call
        assert await asyncio.to_thread(closed.wait, HANG_GUARD)
        text = "".join(
            traceback.TracebackException.from_exception(
                cancelled.value, capture_locals=True
            ).format()
        )
        signature = server.requests[0].headers["authorization"].rpartition("=")[2]
        for secret in (SECRET_ACCESS_KEY, SESSION_TOKEN, signature):
            assert secret not in text

    with ScriptedServer(script, tls=server_tls() if tls else None) as server:
        run(make_client(server.url, clock, ca_bundle=DATA / "server.crt"), main)


def test_closed_while_in_use(clock: ManualClock) -> None:
    """Closing ends what is under way, and nothing begins afterwards."""
    closed = threading.Event()
    script = closing(closed)

    async def main(client: AsyncNimbleClient) -> None:
        call = asyncio.create_task(stop(client))
        assert await asyncio.to_thread(vars(script)["asked"].wait, HANG_GUARD)
        await client.aclose()
        with pytest.raises(TransportError) as failure:
            await call
        assert failure.value.outcome_unknown is True
        with pytest.raises(ConnectionFailedError, match="closed") as refused:
            await stop(client)
        assert refused.value.retryable is False

    with ScriptedServer(script) as server:
        run(make_client(server.url, clock), main)
        assert server.connections == 1


@pytest.mark.parametrize("cancelled", [False, True])
def test_closed_during_a_name_lookup(
    cancelled: bool,  # noqa: FBT001
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Closing ends a name lookup with an error; the call does not count as cancelled."""
    asked, go = threading.Event(), threading.Event()

    def resolve(*_: object, **__: object) -> None:
        asked.set()
        go.wait(HANG_GUARD)
        raise OSError("too late")

    async def main(client: AsyncNimbleClient) -> None:
        call = asyncio.create_task(stop(client))
        await asyncio.to_thread(asked.wait, HANG_GUARD)
        if cancelled:
            call.cancel()
        await client.aclose()
        with pytest.raises(asyncio.CancelledError if cancelled else ConnectionFailedError):
            await call
        go.set()

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    run(make_client("http://slow.example", clock), main)


def test_read_limit_begins_with_the_connection() -> None:
    """The time that connecting may take does not prolong the time for the answer."""

    async def main(client: AsyncNimbleClient) -> None:
        with pytest.raises(ReadTimeoutError):
            await asyncio.wait_for(stop(client), HANG_GUARD)

    with ScriptedServer() as server:
        run(make_client(server.url, timeout=Timeouts(connect=2 * HANG_GUARD, read=0.05)), main)


# TLS


def test_ca_bundle_is_read_elsewhere(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CA file is read once, and not by the thread of the event loop."""
    threads: list[threading.Thread] = []
    original = network.tls_context

    def read(config: Any, proxy: Any) -> object:  # noqa: ANN401 - passed on
        threads.append(threading.current_thread())
        return original(config, proxy)

    async def main(client: AsyncNimbleClient) -> None:
        await asyncio.gather(*(stop(client) for _ in range(5)))

    monkeypatch.setattr(_transport, "tls_context", read)
    with ScriptedServer(always(answer()), tls=server_tls()) as server:
        run(make_client(server.url, clock, ca_bundle=DATA / "server.crt"), main)
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()


def test_slow_bundle(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA file that is not read in time is a connection that was not made: nothing was sent."""
    go = threading.Event()

    def read(*_: object) -> None:
        go.wait(HANG_GUARD)

    async def main(client: AsyncNimbleClient) -> None:
        with pytest.raises(ConnectTimeoutError) as failure:
            await stop(client)
        assert failure.value.outcome_unknown is False
        go.set()

    monkeypatch.setattr(_transport, "tls_context", read)
    run(make_client("https://127.0.0.1:1", clock, timeout=Timeouts(connect=0.05)), main)


def test_bad_bundle(clock: ManualClock) -> None:
    """A CA bundle that holds no certificates is a configuration error."""

    async def main(client: AsyncNimbleClient) -> None:
        with pytest.raises(ConfigurationError, match="CA bundle"):
            await stop(client)

    run(make_client("https://127.0.0.1:1", clock, ca_bundle=DATA / "server.key"), main)


def test_socks(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy forbids no client, but each call, before anything goes anywhere."""

    async def main(client: AsyncNimbleClient) -> None:
        with pytest.raises(ConfigurationError, match="SOCKS") as failure:
            await stop(client)
        assert "secret" not in str(failure.value)

    with ScriptedServer() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url.replace("http://", "socks5h://me:secret@"))
        run(make_client("http://nimble.example", clock), main)
        assert proxy.connections == 0


def test_proxy_that_never_ends(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a proxy says before there is a tunnel does not keep a call alive."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    async def main(client: AsyncNimbleClient) -> None:
        with pytest.raises((ProxyError, TLSError, ConnectionFailedError)):
            await stop(client)

    with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        run(make_client("https://localhost:8443", clock, timeout=0.5), main)


# Event loops


def test_loops_that_end(clock: ManualClock) -> None:
    """A client works in one event loop after another, and keeps nothing of the former."""
    with ScriptedServer(always(answer())) as server:
        client = make_client(server.url, clock)
        for _ in range(3):
            assert asyncio.run(stop(client)) == "session-1"
        assert not client._transport._open
        assert server.connections == 3
