from __future__ import annotations

import gc
import socket
import threading
import time
import traceback
import tracemalloc
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest
import requests
import responses
from requests.adapters import HTTPAdapter

from nimble_stop._transport import requests_transport as _transport
from nimble_stop.exceptions import (
    ConfigurationError,
    ConnectionLostError,
    ConnectTimeoutError,
    DeadlineExceededError,
    ProxyError,
    ReadTimeoutError,
    ResourceNotFoundException,
    ResponseDecodeError,
    TLSError,
    TransportError,
)
from tests.support.clients import (
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    make_client,
)
from tests.support.scripted import (
    DATA,
    HANG_GUARD,
    SESSION,
    Peer,
    ScriptedServer,
    always,
    answer,
    answering,
    hang_up,
    server_tls,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop import NimbleClient
    from tests.support.clock import ManualClock

URL = "http://api.example:8080"
STOP_URL = f"{URL}/2020-08-01/studios/studio-1/streaming-sessions/session-1/stop"


def stop(client: NimbleClient) -> str | None:
    """Stop the session."""
    return client.stop_session("studio-1", "session-1", client_token="token-1").session_id


# Who intercepts requests


@responses.activate
def test_intercepted(clock: ManualClock) -> None:
    """`responses` answers in the service's place, and sees the request as requests prepares it."""
    responses.post(STOP_URL, json={"session": SESSION})
    with make_client(URL, clock) as client:
        assert stop(client) == "session-1"

    request = responses.calls[0].request
    assert isinstance(request, requests.PreparedRequest)
    assert (request.method, request.url, request.body) == ("POST", STOP_URL, b"{}")
    assert request.headers["x-amz-client-token"] == "token-1"
    assert request.headers["X-Amz-Security-Token"] == SESSION_TOKEN


@responses.activate
def test_intercepted_error(clock: ManualClock) -> None:
    """An intercepted error is read like any other."""
    responses.post(
        STOP_URL,
        json={"message": "no"},
        status=404,
        headers={"X-Amzn-ErrorType": "ResourceNotFoundException", "X-Amzn-RequestId": "r"},
    )
    with make_client(URL, clock) as client, pytest.raises(ResourceNotFoundException) as failure:
        stop(client)

    assert (failure.value.message, failure.value.request_id) == ("no", "r")


@responses.activate
def test_intercepted_without_a_body(clock: ManualClock) -> None:
    """An intercepted success without a body is a success that cannot be read."""
    responses.post(STOP_URL, status=200)
    with make_client(URL, clock) as client, pytest.raises(ResponseDecodeError):
        stop(client)
    assert len(responses.calls) == 1


@responses.activate
def test_intercepted_retry(clock: ManualClock) -> None:
    """Intercepted attempts are retried like any others."""
    responses.post(STOP_URL, status=503)
    responses.post(STOP_URL, body=requests.ConnectionError("gone"))
    responses.post(STOP_URL, json={"session": SESSION})
    with make_client(URL, clock) as client:
        assert stop(client) == "session-1"

    assert len(responses.calls) == 3


def test_intercepted_later(clock: ManualClock) -> None:
    """A client that has sent requests is intercepted as soon as somebody does, and no longer."""
    with ScriptedServer(always(answer())) as server, make_client(server.url, clock) as client:
        assert stop(client) == "session-1"
        with responses.RequestsMock() as mock:
            mock.post(
                STOP_URL.replace(URL, server.url), json={"session": {"sessionId": "intercepted"}}
            )
            assert stop(client) == "intercepted"
        assert stop(client) == "session-1"

        assert (len(server.requests), server.connections) == (2, 1)


def test_passthrough(clock: ManualClock) -> None:
    """What an interceptor lets through goes to the server."""
    with (
        ScriptedServer(always(answer())) as server,
        responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
        make_client(server.url, clock) as client,
    ):
        mock.add_passthru(server.url)
        mock.post(f"{server.url}/never", status=500)
        assert stop(client) == "session-1"

        assert len(server.requests) == 1


RAISED: list[tuple[Exception, type[TransportError], int]] = [
    (requests.ConnectionError("gone"), ConnectionLostError, 3),
    (requests.exceptions.ChunkedEncodingError("cut"), ConnectionLostError, 3),
    (requests.ConnectTimeout("slow"), ConnectTimeoutError, 3),
    (requests.ReadTimeout("slow"), ReadTimeoutError, 3),
    (requests.Timeout("slow"), ReadTimeoutError, 3),
    (requests.exceptions.ProxyError("no"), ProxyError, 3),
    (requests.exceptions.SSLError("no"), TLSError, 1),
    (ConnectionResetError("gone"), ConnectionLostError, 3),
    (TimeoutError("slow"), ReadTimeoutError, 3),
]


@pytest.mark.parametrize(("raised", "kind", "attempts"), RAISED, ids=repr)
@responses.activate
def test_intercepted_exception(
    raised: Exception, kind: type[TransportError], attempts: int, clock: ManualClock
) -> None:
    """An exception in an interceptor's answer comes out as ours, with the other as its cause."""
    responses.post(STOP_URL, body=raised)
    with make_client(URL, clock) as client, pytest.raises(kind) as failure:
        stop(client)

    assert type(failure.value) is kind
    assert failure.value.attempts == attempts == len(responses.calls)
    assert failure.value.__cause__ is raised


def test_observed(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever observes ``HTTPAdapter.send`` may read all of the response, as the client does."""
    send, seen = HTTPAdapter.send, list[requests.Response]()

    def observed(self: HTTPAdapter, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - its own
        response = send(self, *args, **kwargs)
        assert response.json() == {"session": SESSION}
        assert response.content == response.content
        seen.append(response)
        return response

    monkeypatch.setattr(HTTPAdapter, "send", observed)
    with ScriptedServer(always(answer(headers={"X-Odd": "1"}))) as server:
        with make_client(server.url, clock) as client:
            assert [stop(client) for _ in range(2)] == ["session-1"] * 2
        assert server.connections == 1

    response = seen[0]
    assert (response.status_code, response.reason, response.ok) == (200, "Whatever", True)
    assert response.url == response.request.url == STOP_URL.replace(URL, server.url)
    assert response.headers["x-odd"] == "1"
    assert response.raw.version == 11


def test_replaced(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that somebody has made without urllib3 is as good."""

    def replaced(*_: object, **__: object) -> requests.Response:
        response = requests.Response()
        response.status_code = 404
        response.headers["x-amzn-ErrorType"] = "ResourceNotFoundException"
        response._content = b"{}"
        return response

    monkeypatch.setattr(HTTPAdapter, "send", replaced)
    with make_client(URL, clock) as client, pytest.raises(ResourceNotFoundException):
        stop(client)


def test_urllib3_instrumentation(clock: ManualClock) -> None:
    """OpenTelemetry's instrumentation of urllib3 sees every attempt."""
    from opentelemetry.instrumentation.urllib3 import (  # pyright: ignore[reportMissingTypeStubs] - it has none
        URLLib3Instrumentor,
    )
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    instrumentor = URLLib3Instrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        script = answering(answer({}, status=503), answer())
        with ScriptedServer(script) as server, make_client(server.url, clock) as client:
            stop(client)
    finally:
        instrumentor.uninstrument()
    finished = spans.get_finished_spans()
    assert [(span.attributes or {}).get("http.status_code") for span in finished] == [503, 200]


# Memory


def test_small_chunks(clock: ManualClock) -> None:
    """An answer in very many chunks takes little more memory than its bytes."""
    count = 100_000
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * count

    with (
        ScriptedServer(hang_up(data + b"0\r\n\r\n")) as server,
        make_client(server.url, clock) as client,
    ):
        tracemalloc.start()
        with pytest.raises(ResponseDecodeError) as failure:
            stop(client)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert failure.value.body == b" " * count
    assert peak < 6_000_000


# Secrets


def test_nothing_secret_is_shown(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a debugger shows of a request under way has no header in it."""
    send, seen = HTTPAdapter.send, list[str]()

    def observed(self: HTTPAdapter, request: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - its own
        seen.extend([repr(request), repr(vars(request)), repr(request.headers), f"{kwargs!r}"])  # pyright: ignore[reportUnknownArgumentType] - it is theirs
        return send(self, request, **kwargs)

    monkeypatch.setattr(HTTPAdapter, "send", observed)
    with ScriptedServer(always(answer())) as server, make_client(server.url, clock) as client:
        stop(client)
    signature = server.requests[0].headers["authorization"].rpartition("=")[2]
    for secret in (SECRET_ACCESS_KEY, SESSION_TOKEN, signature):
        assert [text for text in seen if secret in text] == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_interrupted(
    interruption: type[BaseException], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interruption leaves no frame behind that holds the request, and no connection in use."""

    def interrupt(*_: object) -> None:
        raise interruption

    with ScriptedServer(always(answer())) as server, make_client(server.url, clock) as client:
        stop(client)
        monkeypatch.setattr("socket.socket.sendall", interrupt)
        with pytest.raises(interruption) as caught:
            stop(client)
        monkeypatch.undo()
        text = "".join(
            traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        )
        assert stop(client) == "session-1"
        assert server.connections == 2
    signature = server.requests[0].headers["authorization"].rpartition("=")[2]
    for secret in (SECRET_ACCESS_KEY, SESSION_TOKEN, signature):
        assert secret not in text


# Connecting


def test_interrupted_while_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption while a connection is opened closes it, however late it opens."""
    connecting, interrupted = threading.Event(), threading.Event()
    connect = socket.socket.connect

    def late(self: socket.socket, address: Any) -> None:  # noqa: ANN401 - its own
        connecting.set()
        interrupted.wait(HANG_GUARD)
        connect(self, address)

    def interrupt(*_: object) -> None:
        assert connecting.wait(HANG_GUARD)
        raise KeyboardInterrupt

    def script(peer: Peer) -> None:
        peer.wait_until_closed()
        closed.set()

    closed = threading.Event()
    with ScriptedServer(script) as server, make_client(server.url) as client:
        monkeypatch.setattr("socket.socket.connect", late)
        with monkeypatch.context() as once:
            once.setattr(Future, "result", interrupt)
            with pytest.raises(KeyboardInterrupt):
                stop(client)
        interrupted.set()
        assert closed.wait(HANG_GUARD)


def test_without_threads(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can start, as when the interpreter ends, a connection opens all the same."""

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_transport, "Thread", NoThread)
    with ScriptedServer(always(answer())) as server, make_client(server.url, clock) as client:
        assert stop(client) == "session-1"


def test_connect_time_out(clock: ManualClock) -> None:
    """A host that does not answer at all is a connection that was not made in time."""
    # A full backlog: Linux leaves further connections unanswered.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - its own signature
            filler.connect_ex(("127.0.0.1", port))
        with (
            make_client(f"http://127.0.0.1:{port}", clock, timeout=0.1) as client,
            pytest.raises(ConnectTimeoutError) as failure,
        ):
            stop(client)
        for filler in fillers:
            filler.close()
    assert failure.value.outcome_unknown is False


def test_reset_before_the_handshake(clock: ManualClock) -> None:
    """A connection that is reset before its handshake is closed, and nothing was sent."""
    with (
        ScriptedServer(Peer.reset) as server,
        make_client(server.url.replace("http:", "https:"), clock) as client,
        pytest.raises(TransportError) as failure,
    ):
        stop(client)
    gc.collect()
    assert failure.value.outcome_unknown is False


def test_surplus_that_tls_holds(clock: ManualClock) -> None:
    """What comes in one TLS record with an answer is never the next call's answer."""
    # The reader takes so many bytes at once, and then asks for no more.
    size = 8192
    body = b'{"session": {"sessionId": "good"}}'
    padding = size - len(answer(body.ljust(size // 2))) + size // 2

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer(body.ljust(padding)) + answer({"session": {"sessionId": "evil"}}))
        always(answer())(peer)

    assert len(answer(body.ljust(padding))) == size
    with (
        ScriptedServer(script, always(answer()), tls=server_tls()) as server,
        make_client(server.url, clock, ca_bundle=DATA / "server.crt") as client,
    ):
        assert [stop(client), stop(client)] == ["good", "session-1"]


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["at once", "behind"])
def test_proxy_that_resets(
    data: bytes, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that a proxy resets before or behind its tunnel is closed."""

    def script(peer: Peer) -> None:
        if data:
            peer.read_request()
            peer.send(data)
        peer.reset()

    with ScriptedServer(script) as proxy:
        scheme = "http" if data else "https"
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://127.0.0.1:{proxy.port}")
        with (
            make_client("https://localhost:8443", clock) as client,
            pytest.raises(TransportError) as failure,
        ):
            stop(client)
    gc.collect()
    assert failure.value.outcome_unknown is False


def test_bad_bundle(clock: ManualClock) -> None:
    """A CA bundle that holds no certificates is a configuration error."""
    with (
        make_client("https://127.0.0.1:1", clock, ca_bundle=DATA / "server.key") as client,
        pytest.raises(ConfigurationError, match="CA bundle"),
    ):
        stop(client)


# SOCKS


def socks(peer: Peer) -> None:
    """Be a SOCKS5 proxy that asks for a password, and the server behind it (RFC 1928, RFC 1929)."""
    assert peer.read(4) == b"\x05\x02\x00\x02"
    peer.send(b"\x05\x02")
    assert peer.read(11) == b"\x01\x02me\x06secret"
    peer.send(b"\x01\x00")
    # The name is the proxy's to resolve.
    name = b"nimble.example"
    assert peer.read(7 + len(name)) == b"\x05\x01\x00\x03\x0e" + name + b"\x00\x50"
    peer.send(b"\x05\x00\x00\x01" + bytes(6))
    always(answer())(peer)


def test_socks(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy is sent host and password; what goes through it is the plain request."""
    with ScriptedServer(socks) as proxy:
        url = proxy.url.replace("http://", "socks5h://me:secret@")
        monkeypatch.setenv("ALL_PROXY", url)
        with make_client("http://nimble.example", clock) as client:
            assert [stop(client) for _ in range(2)] == ["session-1"] * 2
    assert proxy.connections == 1
    request = proxy.requests[0]
    assert request.target.startswith("/2020-08-01/")
    assert "proxy-authorization" not in request.headers


def dribbling(peer: Peer) -> None:
    """Answer SOCKS byte by byte, without an end."""
    peer.read(3)
    peer.send(b"\x05\x00")
    peer.trickle(b"\x05\x00\x00\x03\xff" + b"x" * 255)


@pytest.mark.parametrize("script", [dribbling, Peer.wait_until_closed])
def test_slow_socks(script: Callable[[Peer], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a SOCKS proxy takes is bounded by the one limit, and nothing was sent."""
    with ScriptedServer(script) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url.replace("http:", "socks5h:"))
        with make_client("http://nimble.example") as client:
            started = time.monotonic()
            with pytest.raises(DeadlineExceededError) as failure:
                client.stop_session("a", "b", deadline=0.3)
            assert time.monotonic() - started < HANG_GUARD / 4
    assert failure.value.outcome_unknown is False


# Connections that are kept


def test_most_idle(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """No more connections are kept than was asked for, and nobody is warned of that."""
    barrier = threading.Barrier(4)

    def script(peer: Peer) -> None:
        peer.read_request()
        barrier.wait(HANG_GUARD)
        peer.send(answer())
        always(answer())(peer)

    with (
        ScriptedServer(script) as server,
        make_client(server.url, clock, max_connections=2) as client,
    ):
        threads = [threading.Thread(target=stop, args=(client,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG_GUARD)
        _, pool = client._transport._pool
        assert (server.connections, pool.pool.qsize()) == (4, 2)
    assert [record for record in caplog.records if record.name.startswith("urllib3")] == []


def test_age(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was idle for long, which a firewall may have dropped, is not used again."""
    now = [0.0]
    with ScriptedServer(always(answer())) as server, make_client(server.url, clock) as client:
        stop(client)
        with monkeypatch.context() as later:
            later.setattr(_transport, "monotonic", lambda: now[0] + 1e9)
            stop(client)
        assert server.connections == 2


def test_closed_while_in_use(clock: ManualClock) -> None:
    """A connection that was in use when the client was closed is closed after its answer."""
    asked, go, closed = threading.Event(), threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        asked.set()
        go.wait(HANG_GUARD)
        peer.send(answer())
        peer.wait_until_closed()
        closed.set()

    with ScriptedServer(script) as server:
        client, found = make_client(server.url, clock), list[str | None]()
        thread = threading.Thread(target=lambda: found.append(stop(client)))
        thread.start()
        assert asked.wait(HANG_GUARD)
        client.close()
        go.set()
        thread.join(HANG_GUARD)

        assert found == ["session-1"]
        assert closed.wait(HANG_GUARD)


def test_closed_between(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that has begun when the client is closed is done, and leaves no connection behind."""
    send = HTTPAdapter.send

    def closing(self: HTTPAdapter, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - its own
        client.close()
        return send(self, *args, **kwargs)

    closed = threading.Barrier(3)

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer())
        peer.wait_until_closed()
        closed.wait(HANG_GUARD)

    with ScriptedServer(script) as server:
        client = make_client(server.url, clock)
        stop(client)
        monkeypatch.setattr(HTTPAdapter, "send", closing)
        assert stop(client) == "session-1"
        closed.wait(HANG_GUARD)


def test_never_closed(clock: ManualClock) -> None:
    """A client that nobody closed closes its connections when it goes."""
    closed = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer())
        peer.wait_until_closed()
        closed.set()

    with ScriptedServer(script) as server:
        stop(make_client(server.url, clock))
        gc.collect()
        assert closed.wait(HANG_GUARD)
