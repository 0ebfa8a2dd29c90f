from __future__ import annotations

import errno
import gzip
import inspect
import json
import re
import socket
import threading
import time
import zlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from botocore.credentials import Credentials

from nimble_stop import (
    AsyncNimbleClient,
    AsyncStopRun,
    NimbleClient,
    RetryPolicy,
    StopRun,
    StreamingSessionState as State,
    Timeouts,
)
from nimble_stop.exceptions import (
    AccessDeniedException,
    ConflictException,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectTimeoutError,
    DeadlineExceededError,
    InternalServerErrorException,
    NimbleStopError,
    ProxyError,
    ReadTimeoutError,
    RequestValidationError,
    ResourceNotFoundException,
    ResponseDecodeError,
    ServiceError,
    ServiceQuotaExceededException,
    StopFailedError,
    ThrottlingException,
    TLSError,
    TransportError,
    UnexpectedStateError,
    ValidationException,
)
from nimble_stop.local import LocalNimble, ServiceFailure, StopFails, WrongDate
from tests.support.clients import (
    REGION,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    credentials,
)
from tests.support.clock import START, ManualClock
from tests.support.scripted import (
    DATA,
    HANG_GUARD,
    Peer,
    ScriptedServer,
    always,
    answer,
    answering,
    error_answer,
    server_tls,
)
from tests.support.twins import AsyncTwin, SyncTwin, Twin

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from nimble_stop import StreamingSession

NAMES_OF_CLOSE = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"}
FAILED = error_answer(500, "InternalServerErrorException")
GOOD = answer({"session": {"sessionId": "good", "state": "STOP_IN_PROGRESS"}})
EVIL = answer({"session": {"sessionId": "evil", "state": "STOPPED"}})


class Maker:
    """Makes clients of one kind that never sleep, and closes them."""

    def __init__(self, kind: type[Twin], clock: ManualClock, stack: ExitStack) -> None:
        self.kind = kind
        self._clock = clock
        self._stack = stack

    def __call__(self, url: str, **options: Any) -> Twin:  # noqa: ANN401 - a client's own arguments
        """Make a client; its clock stands still but for its sleeps, unless it is given another."""
        given: dict[str, Any] = {
            "endpoint_url": url,
            "region_name": REGION,
            "credentials": credentials(),
            "runtime": self._clock.runtime,
            **options,
        }
        client: Twin = self.kind.make(**given)
        self._stack.callback(client.end)
        return client


@pytest.fixture(params=[SyncTwin, AsyncTwin], ids=["sync", "async"])
def make(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Maker]:
    """Give a way to make clients, sync and async."""
    with ExitStack() as stack:
        yield Maker(request.param, clock, stack)


# Their surfaces


def surface(kind: type[object]) -> dict[str, Any]:
    """Give the public members of a class, and those that make it a context manager."""
    return {
        name: member
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_") or name in {*NAMES_OF_CLOSE, *NAMES_OF_CLOSE.values()}
    }


@pytest.mark.parametrize(
    ("sync", "twin"), [(NimbleClient, AsyncNimbleClient), (StopRun, AsyncStopRun)]
)
def test_same_members(sync: type[object], twin: type[object]) -> None:
    """Both have the same public members; closing alone has another name."""
    assert {NAMES_OF_CLOSE.get(name, name) for name in surface(sync)} == set(surface(twin))


def test_same_arguments() -> None:
    """Both are made with the same arguments and defaults."""
    assert inspect.signature(NimbleClient) == inspect.signature(AsyncNimbleClient)


METHODS = ["stop_session", "get_session", "list_sessions", "wait_until_stopped", "stop_sessions"]


@pytest.mark.parametrize("name", METHODS)
def test_same_signatures(name: str) -> None:
    """Every method takes the same parameters, with the same defaults and annotations."""
    sync, twin = (
        inspect.signature(getattr(kind, name)) for kind in (NimbleClient, AsyncNimbleClient)
    )
    assert sync.parameters == twin.parameters
    returned = {
        "Iterator[StreamingSession]": "AsyncIterator[StreamingSession]",
        "StopRun": "AsyncStopRun",
    }
    annotation = str(sync.return_annotation)
    assert str(twin.return_annotation) == returned.get(annotation, annotation)


@pytest.mark.parametrize("name", [*METHODS, "close"])
def test_docstrings_refer(name: str) -> None:
    """What the async client does is explained once, in the sync client, to which it refers."""
    twin = inspect.getdoc(getattr(AsyncNimbleClient, NAMES_OF_CLOSE.get(name, name)))
    assert inspect.getdoc(getattr(NimbleClient, name))
    assert twin
    assert name == "close" or f"`NimbleClient.{name}`" in twin


def test_arguments_are_explained() -> None:
    """The sync class explains every argument of both."""
    doc = inspect.getdoc(NimbleClient) or ""
    explained = doc[doc.index("Args:") :].partition("Raises:")[0]
    assert list(inspect.signature(NimbleClient).parameters) == re.findall(
        r"^    (\w+): ", explained, re.MULTILINE
    )


def test_what_is_awaited() -> None:
    """What gives one thing is awaited, and what gives many is an async iterator at once."""
    awaited = {
        name for name in METHODS if inspect.iscoroutinefunction(getattr(AsyncNimbleClient, name))
    }
    assert awaited == {"stop_session", "get_session", "wait_until_stopped"}


# A call


def test_success(make: Maker) -> None:
    """A stop goes out as the operation wants it, and its answer is a model."""
    with ScriptedServer(always(GOOD)) as server:
        session = make(server.url).stop("a b", retention="RETAIN", client_token="token-1")

    assert (session.session_id, session.state) == ("good", State.STOP_IN_PROGRESS)
    (request,) = server.requests
    path = "/2020-08-01/studios/studio-1/streaming-sessions/a%20b/stop"
    assert request.line == f"POST {path} HTTP/1.1"
    assert request.body == b'{"volumeRetentionMode": "RETAIN"}'
    assert request.headers["x-amz-client-token"] == "token-1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(request.body))
    assert request.headers["amz-sdk-request"] == "attempt=1; max=3"


def test_same_bytes(clock: ManualClock) -> None:
    """Both send the same request, header by header."""
    runtime = attrs.evolve(clock.runtime, new_id=lambda: "id-1")
    sent: list[dict[str, str]] = []
    for kind in (SyncTwin, AsyncTwin):
        with ScriptedServer(always(GOOD)) as server, ExitStack() as stack:
            client = Maker(kind, clock, stack)(f"{server.url}/base", runtime=runtime)
            client.stop("a/b")
            client.get("a/b")
            for request in server.requests:
                headers = {**request.headers, "line": request.line}
                # The port is in the signature.
                assert headers.pop("host") == f"127.0.0.1:{server.port}"
                headers["authorization"] = headers["authorization"].rpartition("=")[0]
                sent.append(headers)
    assert sent[:2] == sent[2:]


def test_verified(make: Maker) -> None:
    """The endpoint accepts the signatures of all calls, and the calls do what they say."""
    with LocalNimble() as local:
        local.add_session(studio_id="studio-1", session_id="a/b ü")
        client = make(local.endpoint_url, credentials=local.credentials, runtime=None)

        assert client.get("a/b ü").state is State.READY
        assert client.stop("a/b ü").state is State.STOP_IN_PROGRESS
        assert client.wait("a/b ü").state is State.STOPPED
        assert [each.session_id for each in client.list_all(session_ids=["a/b ü"])] == ["a/b ü"]
        (result,) = client.stop_all(["a/b ü"])
        assert isinstance(result.error, ConflictException)
        local.requests.assert_stopped_once("a/b ü")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, AccessDeniedException),
        (409, ConflictException),
        (500, InternalServerErrorException),
        (404, ResourceNotFoundException),
        (402, ServiceQuotaExceededException),
        (429, ThrottlingException),
        (400, ValidationException),
        (418, ServiceError),
    ],
)
def test_errors(status: int, kind: type[ServiceError], make: Maker) -> None:
    """Each of the service's errors is its class, with token, attempts and request id."""
    code = "Teapot" if kind is ServiceError else kind.__name__
    data = error_answer(status, code, x_amzn_requestid="request-7")
    with ScriptedServer(always(data)) as server, pytest.raises(kind) as failure:
        make(server.url).stop(client_token="token-1")

    error = failure.value
    assert type(error) is kind
    assert (error.code, error.http_status, error.request_id) == (code, status, "request-7")
    assert error.client_token == "token-1"
    assert error.attempts == len(server.requests) == (3 if error.retryable else 1)


def test_retries(make: Maker, clock: ManualClock) -> None:
    """A failed attempt is repeated with the same token and invocation, after its delay."""
    answers = [FAILED, error_answer(429, "ThrottlingException", x_amz_retry_after="2000"), GOOD]
    with ScriptedServer(answering(*answers)) as server:
        assert make(server.url).stop().session_id == "good"

    assert clock.slept == pytest.approx([0.025, 2.0])
    for name in ("x-amz-client-token", "amz-sdk-invocation-id"):
        assert len({request.headers[name] for request in server.requests}) == 1
    assert [request.headers["amz-sdk-request"] for request in server.requests] == [
        f"attempt={number}; max=3" for number in (1, 2, 3)
    ]
    assert server.connections == 1


def test_copy_shares_connections(make: Maker) -> None:
    """A copy with other options uses the same connections."""
    with ScriptedServer(always(FAILED)) as server:
        client = make(server.url)
        copy = client.with_options(retry=RetryPolicy(max_attempts=1))
        for each, attempts in ((client, 3), (copy, 1)):
            with pytest.raises(InternalServerErrorException) as failure:
                each.stop()
            assert failure.value.attempts == attempts
        assert server.connections == 1


# Answers that are none


def closing(data: bytes) -> Callable[[Peer], None]:
    """Write a script that sends some bytes and closes."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)

    return script


def resetting(peer: Peer) -> None:
    """Reset the connection after the request."""
    peer.read_request()
    peer.reset()


CUT = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi"
BROKEN: dict[str, Callable[[Peer], None]] = {
    "closed": closing(b""),
    "reset": resetting,
    "a cut status line": closing(b"HTTP/1.1 2"),
    "a cut head": closing(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "a short body": closing(answer(b'{"session": {}}', length=16)),
    "a cut chunk": closing(CUT),
    "no HTTP": closing(b"220 mail.example ESMTP\r\n\r\n"),
    "two lengths": closing(answer(headers={"content-length": "3"})),
    "no length": closing(answer(headers={"Content-Length": "many"})),
    "a negative length": closing(answer(headers={"Content-Length": "-1"})),
    "no header": closing(GOOD.replace(b"Content-Length:", b"Content-Length")),
    "length and chunks": closing(answer(b"0\r\n\r\n", headers={"Transfer-Encoding": "chunked"})),
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
def test_broken_answers(script: Callable[[Peer], None], make: Maker) -> None:
    """An answer that is short, cut or no HTTP is a failed attempt, and the next one counts."""
    with ScriptedServer(script, always(GOOD)) as server:
        assert make(server.url).stop().session_id == "good"
        assert server.connections == 2

    with ScriptedServer(script) as server, pytest.raises(ConnectionLostError) as failure:
        make(server.url).stop()
    assert type(failure.value) is ConnectionLostError
    assert failure.value.attempts == server.connections == 3
    assert failure.value.outcome_unknown is True


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"<html>", b"\xff", b'{"session": 7}', b"[" * 100_000],
    ids=lambda body: ascii(body[:12]),
)
def test_unreadable_success(body: bytes, make: Maker) -> None:
    """A success without a session is an error that has the body, and is not repeated."""
    with ScriptedServer(always(answer(body))) as server:
        with pytest.raises(ResponseDecodeError) as failure:
            make(server.url).stop()
        assert len(server.requests) == 1

    assert failure.value.body == body
    assert failure.value.outcome_unknown is True


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect(status: int, make: Maker) -> None:
    """A redirect is an error, and nobody goes where it points."""
    with ScriptedServer(always(EVIL)) as elsewhere:
        data = answer(b"", status=status, headers={"Location": elsewhere.url})
        with ScriptedServer(always(data)) as server, pytest.raises(ServiceError) as failure:
            make(server.url).stop()
        assert failure.value.http_status == status
        assert elsewhere.connections == 0


def test_interim_answers(make: Maker) -> None:
    """Interim answers are passed over."""
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
    with ScriptedServer(always(hints + GOOD)) as server:
        assert make(server.url).stop().session_id == "good"


def endless(head: bytes) -> Callable[[Peer], None]:
    """Write a script whose answer never ends."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(head)
        peer.flood(b"x" * 65536)

    return script


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 68719476736\r\n\r\n"],
    ids=["until the end", "announced"],
)
def test_capped_body(head: bytes, make: Maker) -> None:
    """An endless answer ends at the cap, and its connection with it."""
    with ScriptedServer(endless(head), always(GOOD)) as server:
        client = make(server.url)
        with pytest.raises(ResponseDecodeError, match="too long") as failure:
            client.stop()
        assert len(failure.value.body) == 1024 * 1024
        assert client.stop().session_id == "good"
        assert server.connections == 2


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_unasked_coding(coding: str, make: Maker) -> None:
    """A content coding that nobody asked for is undone all the same."""
    compress = zlib.compress if coding == "deflate" else gzip.compress
    body = compress(b'{"session": {"sessionId": "good"}}')
    with ScriptedServer(always(answer(body, headers={"Content-Encoding": coding}))) as server:
        assert make(server.url).stop().session_id == "good"


def test_bomb(make: Maker) -> None:
    """A compressed answer that swells ends at the cap."""
    body = gzip.compress(b" " * 64_000_000, 1)
    with ScriptedServer(always(answer(body, headers={"Content-Encoding": "gzip"}))) as server:
        with pytest.raises(ResponseDecodeError, match="too long") as failure:
            make(server.url).stop()
        assert len(failure.value.body) <= 1024 * 1024


def test_odd_bytes_in_headers(make: Maker) -> None:
    """Header values that are no text are read as Latin-1, so that errors can be printed."""
    data = error_answer(403, "AccessDeniedException", x_amzn_requestid="r\xe9\xff")
    with ScriptedServer(always(data)) as server, pytest.raises(AccessDeniedException) as failure:
        make(server.url).stop()
    assert failure.value.request_id == "r\xe9\xff"


# Connections


def test_kept_alive(make: Maker) -> None:
    """Calls one after the other use one connection."""
    with ScriptedServer(always(GOOD)) as server:
        client = make(server.url)
        for _ in range(5):
            client.stop()
        assert (server.connections, len(server.requests)) == (1, 5)


def leaving(peer: Peer) -> None:
    """Answer once and close at once."""
    peer.read_request()
    peer.send(GOOD)


def closing_late(peer: Peer) -> None:
    """Answer once, take the next request, close without a word."""
    leaving(peer)
    peer.read_request()


def resetting_late(peer: Peer) -> None:
    """Answer once, take the next request, reset."""
    closing_late(peer)
    peer.reset()


def test_closed_while_idle(make: Maker) -> None:
    """A kept connection that was closed while idle costs no attempt."""
    closed = threading.Event()

    def script(peer: Peer) -> None:
        leaving(peer)
        peer.close()
        closed.set()

    with ScriptedServer(script, always(answer())) as server:
        client = make(server.url, retry=RetryPolicy(max_attempts=1))
        assert client.stop().session_id == "good"
        assert closed.wait(HANG_GUARD)
        assert client.stop().session_id == "session-1"
        assert server.connections == 2


@pytest.mark.parametrize("script", [closing_late, resetting_late])
def test_closed_in_the_moment(script: Callable[[Peer], None], make: Maker) -> None:
    """A kept connection that is closed on the request costs an attempt, which may have acted."""
    denied = error_answer(403, "AccessDeniedException")
    with ScriptedServer(script, always(denied)) as server:
        client = make(server.url)
        client.stop()
        with pytest.raises(AccessDeniedException) as failure:
            client.stop()
        assert (failure.value.attempts, failure.value.outcome_unknown) == (2, True)
        with pytest.raises(AccessDeniedException) as failure:
            client.stop()
        assert failure.value.outcome_unknown is False


def test_closed_for_good(make: Maker) -> None:
    """When nobody listens any more, it is open what became of the request before."""

    def script(peer: Peer) -> None:
        closing_late(peer)
        server._listener.shutdown(socket.SHUT_RDWR)
        server._listener.close()

    with ScriptedServer(script) as server:
        client = make(server.url)
        client.stop()
        with pytest.raises(ConnectionFailedError) as failure:
            client.stop()
        assert (failure.value.attempts, failure.value.outcome_unknown) == (3, True)


def no_tls(peer: Peer) -> None:
    """Take the place of a server that speaks TLS."""
    peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_stale_connection_and_no_tls_any_more(make: Maker) -> None:
    """Nor is it known when the new connection fails over its certificate or in its handshake."""

    def script(peer: Peer) -> None:
        peer.start_tls(server_tls())
        closing_late(peer)

    with ScriptedServer(script, no_tls, no_tls) as server:
        client = make(server.url.replace("http:", "https:"), ca_bundle=DATA / "server.crt")
        client.stop()
        with pytest.raises(TLSError) as failure:
            client.stop()
        assert (failure.value.attempts, failure.value.outcome_unknown) == (2, True)


def test_stale_connection_and_no_proxy_any_more(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor when the proxy refuses the new connection."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.start_tls(server_tls())
        closing_late(peer)

    refusal = closing(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
    with ScriptedServer(script, refusal, refusal, refusal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = make("https://localhost:8443", ca_bundle=DATA / "server.crt")
        client.stop()
        with pytest.raises(ProxyError) as failure:
            client.stop()
        assert (failure.value.attempts, failure.value.outcome_unknown) == (3, True)


@pytest.mark.parametrize(
    ("surplus", "later"),
    [(EVIL, b""), (b"\r\n", b""), (b" ", b""), (EVIL[:20], EVIL[20:]), (EVIL[:-9], EVIL[-9:])],
    ids=["a second answer", "a line", "a body past its length", "half a head", "half a body"],
)
def test_surplus_bytes(surplus: bytes, later: bytes, make: Maker) -> None:
    """Bytes behind an answer, and what belongs to them later, never become another answer."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(GOOD + surplus)
        peer.read_request()
        peer.send(later + GOOD)
        always(GOOD)(peer)

    with ScriptedServer(script, always(GOOD)) as server:
        client = make(server.url)
        for _ in range(3):
            assert client.stop().session_id == "good"


def test_bytes_between_calls(make: Maker) -> None:
    """What arrives on an idle connection never becomes the next call's answer."""
    go, sent = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        leaving(peer)
        go.wait(HANG_GUARD)
        peer.send(EVIL)
        sent.set()
        peer.wait_until_closed()

    with ScriptedServer(script, always(answer())) as server:
        client = make(server.url)
        client.stop()
        go.set()
        assert sent.wait(HANG_GUARD)
        assert client.stop().session_id == "session-1"


def test_late_answer(make: Maker) -> None:
    """An answer that comes after its call gave up never becomes the next call's answer."""
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        go.wait(HANG_GUARD)
        peer.send(EVIL)
        peer.wait_until_closed()

    with ScriptedServer(script, always(GOOD)) as server:
        client = make(server.url, retry=RetryPolicy(max_attempts=1))
        with pytest.raises(ReadTimeoutError):
            client.with_options(timeout=Timeouts(read=0.05)).stop()
        go.set()
        assert client.stop().session_id == "good"


def test_closed(make: Maker) -> None:
    """A closed client refuses further calls, and closing it again does nothing."""
    with ScriptedServer(always(GOOD)) as server:
        client = make(server.url)
        client.stop()
        client.close()
        client.close()
        with pytest.raises(ConnectionFailedError, match="closed") as failure:
            client.stop()
        assert failure.value.retryable is False
        assert failure.value.outcome_unknown is False


# Time


@contextmanager
def silent_port() -> Generator[int]:
    """Give a port on which connections are neither accepted nor refused."""
    # A full backlog: Linux leaves further connections unanswered.
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 - its own signature
            filler.connect_ex(("127.0.0.1", port))
        yield port


def real_time(**options: Any) -> dict[str, Any]:  # noqa: ANN401 - a client's own arguments
    """Give options of a client whose clock runs."""
    return {"runtime": None, **options}


def test_trickle(make: Maker) -> None:
    """Bytes that trickle in keep no call alive; the client is usable afterwards."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.trickle(answer(b"x" * 100_000))

    with ScriptedServer(script, always(GOOD)) as server:
        client = make(server.url, **real_time())
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"deadline of 0\.2 s") as failure:
            client.stop(deadline=0.2)

        assert time.monotonic() - started < HANG_GUARD
        assert isinstance(failure.value.__cause__, ReadTimeoutError)
        assert failure.value.outcome_unknown is True
        assert client.stop().session_id == "good"


@pytest.mark.parametrize("timeouts", [Timeouts(read=0.1), 0.1])
def test_read_limit(timeouts: Timeouts | float, make: Maker) -> None:
    """An attempt's own limit holds for its whole answer, trickled or not."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.trickle(answer(b"x" * 100_000))

    with ScriptedServer(script) as server:
        client = make(server.url, **real_time(timeout=timeouts, retry=RetryPolicy(max_attempts=1)))
        started = time.monotonic()
        with pytest.raises(ReadTimeoutError):
            client.stop()
        assert 0.1 <= time.monotonic() - started < 4


def test_silent_server(make: Maker) -> None:
    """A server that sends nothing is tried again, and then reported as a read time-out."""
    with ScriptedServer() as server:
        client = make(server.url, timeout=Timeouts(read=0.05))
        with pytest.raises(ReadTimeoutError) as failure:
            client.stop()
    assert failure.value.attempts == 3
    assert failure.value.outcome_unknown is True


def test_refused_connection(make: Maker) -> None:
    """A port where nobody listens is a failed connection: nothing was sent."""
    with ScriptedServer() as server:
        url = server.url
    with pytest.raises(ConnectionFailedError, match="cannot be reached") as failure:
        make(url).stop()
    assert type(failure.value) is ConnectionFailedError
    assert failure.value.attempts == 3
    assert failure.value.outcome_unknown is False


def test_unknown_name(make: Maker) -> None:
    """A name that nobody knows is a failed connection."""
    with pytest.raises(ConnectionFailedError, match="cannot be reached") as failure:
        make("http://nowhere.invalid", retry=RetryPolicy(max_attempts=1)).stop()
    assert type(failure.value) is ConnectionFailedError


@pytest.mark.parametrize("limit", ["timeout", "deadline"])
def test_slow_connection(limit: str, make: Maker) -> None:
    """A connection that is not made in time is another error than an answer that is late."""
    options = {"timeout": Timeouts(connect=0.1)} if limit == "timeout" else {"deadline": 0.1}
    # A peer that accepts and never answers the TLS handshake.
    with ScriptedServer() as server:
        url = server.url.replace("http://", "https://")
        client = make(url, **real_time(retry=RetryPolicy(max_attempts=1), **options))
        with pytest.raises(NimbleStopError) as failure:
            client.stop()
    cause = failure.value.__cause__ if limit == "deadline" else failure.value
    assert isinstance(cause, ConnectTimeoutError)
    assert failure.value.outcome_unknown is False


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[int, str, int]) -> None:
    """Have every name resolve to these families, addresses and ports."""

    def resolve(*_: object, **__: object) -> list[Any]:
        return [
            (family, socket.SOCK_STREAM, 6, "", (host, port, 0, 0)[: 4 if ":" in host else 2])
            for family, host, port in addresses
        ]

    monkeypatch.setattr("socket.getaddrinfo", resolve)


def test_ipv6_first(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without IPv6, a host whose IPv6 address comes first is reached by IPv4."""
    init = socket.socket.__init__

    def without_ipv6(self: socket.socket, family: int = -1, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - its own
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        init(self, family, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "__init__", without_ipv6)
    with ScriptedServer(always(GOOD)) as server:
        resolving(
            monkeypatch,
            (socket.AF_INET6, "::1", server.port),
            (socket.AF_INET, "127.0.0.1", server.port),
        )
        client = make(f"http://nimble.example:{server.port}", retry=RetryPolicy(max_attempts=1))
        assert client.stop().session_id == "good"


def test_dead_addresses(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several addresses that do not answer share the time, and one that does is reached."""
    with silent_port() as dead, ScriptedServer(always(GOOD)) as server:
        addresses = [(socket.AF_INET, f"127.0.0.{number}", dead) for number in (1, 1, 1)]
        resolving(monkeypatch, *addresses)
        options = real_time(timeout=Timeouts(connect=0.3), retry=RetryPolicy(max_attempts=1))
        started = time.monotonic()
        with pytest.raises(ConnectTimeoutError) as failure:
            make("http://nimble.example", **options).stop()
        assert time.monotonic() - started < HANG_GUARD
        assert failure.value.outcome_unknown is False

        resolving(monkeypatch, *addresses[:1], (socket.AF_INET, "127.0.0.1", server.port))
        options = real_time(timeout=Timeouts(connect=2), retry=RetryPolicy(max_attempts=1))
        assert make("http://nimble.example", **options).stop().session_id == "good"


def test_slow_resolver(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that does not answer ends at the deadline, and nothing was sent."""
    go = threading.Event()

    def resolve(*_: object, **__: object) -> None:
        go.wait(HANG_GUARD)
        raise OSError("too late")

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError) as failure:
        make("http://slow.example", **real_time()).stop(deadline=0.2)
    assert time.monotonic() - started < HANG_GUARD / 2
    assert isinstance(failure.value.__cause__, ConnectTimeoutError)
    assert failure.value.outcome_unknown is False
    go.set()


def test_slow_tunnel(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a proxy takes counts for the deadline of the whole."""

    def script(peer: Peer) -> None:
        peer.read_request()
        time.sleep(0.3)
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.start_tls(server_tls())
        peer.read_request()
        peer.wait_until_closed()

    with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = make("https://localhost:8443", **real_time(ca_bundle=DATA / "server.crt"))
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError) as failure:
            client.stop(deadline=0.6)
        assert 0.5 < time.monotonic() - started < 0.6 + 0.3
        assert failure.value.outcome_unknown is True


def test_slow_tunnel_and_silent_tls(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS behind a tunnel has what is left of the time, however much the proxy has taken."""

    def script(peer: Peer) -> None:
        peer.read_request()
        time.sleep(0.7)
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.wait_until_closed()

    with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = make("https://localhost:8443", **real_time())
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError) as failure:
            client.stop(deadline=1)
        assert time.monotonic() - started < 1 + 0.4
        assert failure.value.outcome_unknown is False


@pytest.mark.parametrize("reply", [b"", b"H", b"HTTP/1.1 200 OK\r\nX: 1\r\n"])
def test_silent_proxy(reply: bytes, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that does not finish its answer is a connection that was not made in time."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.trickle(reply)
        peer.wait_until_closed()

    with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = make("https://localhost:8443", retry=RetryPolicy(max_attempts=1), timeout=0.3)
        with pytest.raises(ConnectTimeoutError) as failure:
            client.stop()
        assert failure.value.outcome_unknown is False


def test_trickled_head(make: Maker) -> None:
    """Headers that trickle in keep no call alive, and interim answers do not either."""
    for data in (
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 1000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    ):

        def script(peer: Peer, data: bytes = data) -> None:
            peer.read_request()
            peer.trickle(data)

        with ScriptedServer(script) as server:
            started = time.monotonic()
            with pytest.raises(DeadlineExceededError) as failure:
                make(server.url, **real_time()).stop(deadline=0.2)
            assert time.monotonic() - started < HANG_GUARD / 2
            assert failure.value.outcome_unknown is True


@pytest.mark.parametrize("seconds", [1e7, 1e12, 1e300])
def test_very_long(seconds: float, make: Maker) -> None:
    """Limits of years are no more than a socket can bear."""
    with ScriptedServer(always(GOOD)) as server:
        client = make(server.url, timeout=seconds)
        assert client.stop(deadline=seconds).session_id == "good"


def test_silence_drops_idle_connections(make: Maker) -> None:
    """After a time-out the other kept connections are not used either: one route leads to them."""
    together = threading.Barrier(3)

    def script(peer: Peer) -> None:
        peer.read_request()
        together.wait(HANG_GUARD)
        peer.send(GOOD)
        # A firewall has dropped the connection: nothing comes back any more.
        peer.wait_until_closed()

    with ScriptedServer(script, script, script, always(answer())) as server:
        client = make(server.url, timeout=Timeouts(read=2), max_connections=3)
        assert client.stop_together(3) == ["good"] * 3
        impatient = client.with_options(timeout=Timeouts(read=0.2))
        assert impatient.stop().session_id == "session-1"
        assert server.connections == 4
        # One attempt was lost, not one for each connection.
        assert server.requests[-1].headers["amz-sdk-request"] == "attempt=2; max=3"


def test_no_time_left(make: Maker, clock: ManualClock) -> None:
    """A delay that the deadline does not allow is not begun."""
    with ScriptedServer(always(error_answer(429, "ThrottlingException"))) as server:
        with pytest.raises(DeadlineExceededError) as failure:
            make(server.url).stop(deadline=0.4)
        assert isinstance(failure.value.__cause__, ThrottlingException)
    assert clock.slept == []


def test_clock_skew(make: Maker) -> None:
    """A service whose clock is an hour ahead is stopped at the second attempt, then the first."""
    with LocalNimble(clock=lambda: START + 3600) as local:
        for number in range(3):
            local.add_session(studio_id="studio-1", session_id=f"session-{number}")
        client = make(local.endpoint_url, credentials=local.credentials)
        for number in range(3):
            client.stop(f"session-{number}")
        local.requests.assert_attempts(4)


def test_wrong_date(make: Maker) -> None:
    """A wrong date in one answer is healed by the next."""
    with LocalNimble() as local:
        for number in range(3):
            local.add_session(studio_id="studio-1", session_id=f"session-{number}")
        local.inject(WrongDate(86400), times=1)
        client = make(local.endpoint_url, credentials=local.credentials, runtime=None)
        for number in range(3):
            assert client.stop(f"session-{number}").state is State.STOP_IN_PROGRESS
        local.requests.assert_attempts(4)


# TLS and proxies


def test_tls(make: Maker) -> None:
    """A certificate of the trusted bundle is accepted."""
    with ScriptedServer(always(GOOD), tls=server_tls()) as server:
        assert make(server.url, ca_bundle=DATA / "server.crt").stop().session_id == "good"


@pytest.mark.parametrize(
    ("certificate", "bundle"), [("server", None), ("server", "other.crt"), ("other", "server.crt")]
)
def test_tls_refusal(certificate: str, bundle: str | None, make: Maker) -> None:
    """A certificate that is not trusted is refused, before anything is sent, and not retried."""
    with ScriptedServer(always(EVIL), tls=server_tls(certificate)) as server:
        with pytest.raises(TLSError) as failure:
            make(server.url, ca_bundle=DATA / bundle if bundle else None).stop()
        assert (len(server.requests), server.connections) == (0, 1)
    assert failure.value.attempts == 1
    assert failure.value.outcome_unknown is False


def test_no_tls(make: Maker) -> None:
    """A server that does not speak TLS is no service: nothing was sent."""

    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ScriptedServer(script) as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(TransportError) as failure:
            make(url, retry=RetryPolicy(max_attempts=1)).stop()
    assert failure.value.outcome_unknown is False


@pytest.mark.parametrize("user", ["", "me:p%40ss@"])
def test_http_proxy(user: str, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """An HTTP proxy is sent the whole URL, and its credentials."""
    with ScriptedServer(always(GOOD)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{user}127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://{user}127.0.0.1:{proxy.port}")
        client = make("http://nimble.example:8080")
        client.stop()
        assert client.stop().session_id == "good"

    # Older versions of aiohttp keep no connection to a proxy, so how many there are is left open.
    assert len(proxy.requests) == 2
    for request in proxy.requests:
        assert request.target.startswith("http://nimble.example:8080/2020-08-01/")
        assert request.headers["host"] == "nimble.example:8080"
        expected = "Basic bWU6cEBzcw==" if user else None
        assert request.headers.get("proxy-authorization") == expected


def tunnel(peer: Peer) -> None:
    """Be a proxy and the server behind it."""
    peer.read_request()
    peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    peer.start_tls(server_tls())
    always(GOOD)(peer)


def test_tunnel(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a proxy TLS reaches to the service; only the proxy learns the proxy's password."""
    with ScriptedServer(tunnel) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://me:secret@127.0.0.1:{proxy.port}")
        client = make("https://localhost:8443", ca_bundle=DATA / "server.crt")
        assert client.stop().session_id == "good"

    connect, stop = proxy.requests
    assert connect.line.startswith("CONNECT localhost:8443 HTTP/1.")
    assert connect.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert "proxy-authorization" not in stop.headers
    assert stop.target.startswith("/2020-08-01/")


@pytest.mark.parametrize("status", [403, 407, 502])
def test_proxy_refuses(status: int, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that makes no tunnel is a proxy's error; nothing reached the service."""
    data = answer(b"no", status=status, headers={"Connection": "close"})
    with ScriptedServer(closing(data)) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ProxyError, match=str(status)) as failure:
            make("https://localhost:8443").stop()
    assert failure.value.outcome_unknown is False


def refusing_without_end(peer: Peer) -> None:
    """Refuse, in words that never come."""
    peer.read_request()
    peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    peer.wait_until_closed()


@pytest.mark.parametrize("script", [refusing_without_end, resetting, closing(b"")])
def test_proxy_breaks_off(
    script: Callable[[Peer], None], make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a proxy breaks off before there is a tunnel, the error is a ProxyError."""
    with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ProxyError):
            make("https://localhost:8443", timeout=2).stop()


@pytest.mark.parametrize("name", ["nowhere.invalid", "a..b", "x" * 70])
def test_proxy_without_address(name: str, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy whose name has no address cannot be reached."""
    monkeypatch.setenv("HTTP_PROXY", f"http://{name}:3128")
    with pytest.raises(ConnectionFailedError, match="cannot be reached") as failure:
        make("http://nimble.example").stop()
    assert type(failure.value) is ConnectionFailedError


def test_proxy_that_is_none(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that speaks no HTTP is a proxy's error."""
    with ScriptedServer(closing(b"220 mail.example ESMTP\r\n\r\n")) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ProxyError):
            make("https://localhost:8443").stop()


def test_proxy_out_of_reach(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be reached is a failed connection."""
    with ScriptedServer() as proxy:
        pass
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(ConnectionFailedError, match="cannot be reached"):
        make("http://nimble.example").stop()


def test_https_proxy(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is itself spoken to over TLS is trusted like an endpoint."""
    with ScriptedServer(always(GOOD), tls=server_tls()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//me:secret@"))
        client = make("http://nimble.example", ca_bundle=DATA / "server.crt")
        assert client.stop().session_id == "good"
        with pytest.raises(TLSError) as failure:
            make("http://nimble.example").stop()
        assert failure.value.outcome_unknown is False
    (request,) = proxy.requests
    assert request.target.startswith("http://nimble.example/2020-08-01/")
    assert request.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"


def test_tls_within_tls(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a proxy over TLS, the TLS to the service is its own, and slow bytes have a limit."""

    def slowly(peer: Peer) -> None:
        peer.read_request()
        peer.trickle(GOOD, pause=0.2)

    with ScriptedServer(always(GOOD), slowly, tls=server_tls()) as server:

        def relay(peer: Peer) -> None:
            peer.read_request()
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            peer.relay(server.port)

        with ScriptedServer(relay, tls=server_tls()) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:secret@"))
            client = make(f"https://localhost:{server.port}", ca_bundle=DATA / "server.crt")
            assert client.stop().session_id == "good"
            slow = make(
                f"https://localhost:{server.port}",
                ca_bundle=DATA / "server.crt",
                timeout=1,
                retry=RetryPolicy(max_attempts=1),
            )
            with pytest.raises(ReadTimeoutError):
                slow.stop()

    assert proxy.requests[0].headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert "proxy-authorization" not in server.requests[0].headers


def test_no_proxy(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY leads around the proxy."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with ScriptedServer(always(GOOD)) as server:
        assert make(server.url).stop().session_id == "good"


def test_no_netrc(make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A netrc that names the host changes nothing."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer(always(GOOD)) as server:
        make(server.url).stop()
    assert server.requests[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 ")


def test_no_cookies(make: Maker) -> None:
    """Cookies are not kept."""
    data = answer(headers={"Set-Cookie": "a=b; Path=/"})
    with ScriptedServer(always(data)) as server:
        client = make(server.url)
        client.stop()
        client.stop()
    assert "cookie" not in server.requests[1].headers


# Secrets


def test_no_secrets_in_errors(make: Maker) -> None:
    """No error shows a secret, nor holds on to anything that does."""

    def echo(peer: Peer) -> None:
        request = peer.read_request()
        peer.send(answer(request.raw, status=403, headers={"x-amzn-errortype": "Denied"}))

    def echo_badly(peer: Peer) -> None:
        head = peer.read_request().raw
        peer.send(b"HTTP/1.1 200 OK\r\n" + head.replace(b": ", b"\x00 ") + b"\r\n\r\n")

    def echo_alone(peer: Peer) -> None:
        peer.send(peer.read_request().headers["x-amz-security-token"].encode() + b"\r\n\r\n")

    for script in (echo, echo_badly, echo_alone, closing(b"220 no HTTP\r\n\r\n"), closing(b"")):
        with ScriptedServer(script) as server, pytest.raises(NimbleStopError) as failure:
            make(server.url, retry=RetryPolicy(max_attempts=1)).stop()
        signature = server.requests[0].headers["authorization"].rpartition("=")[2]
        error: BaseException | None = failure.value
        while error is not None:
            text = f"{error!r} {error} {vars(error)}"
            for secret in (SECRET_ACCESS_KEY, SESSION_TOKEN, signature):
                assert secret not in text
            error = error.__cause__ or error.__context__


def test_placeholders_are_no_secrets(make: Maker) -> None:
    """An answer that happens to hold the placeholder of a secret is left as it is."""
    with ScriptedServer(always(answer({"session": {"sessionId": "test-1"}}))) as server:
        client = make(server.url, credentials=Credentials("test", "test", "session"))
        assert client.stop().session_id == "test-1"


@pytest.mark.parametrize(
    "data",
    [
        answer(
            rb'{"message": "a Token: TO\u004bEN and seCret", "x": "TOKEN"}',
            status=404,
            headers={"x-amzn-errortype": "ResourceNotFoundException"},
        ),
        answer(b"<html>TOKEN and seCret"),
    ],
    ids=["an error", "garbage"],
)
def test_placeholders_in_errors(data: bytes, make: Maker) -> None:
    """No error shows even a short secret, and is the error that it would be without it."""
    expected = ResourceNotFoundException if b"404" in data else ResponseDecodeError
    with ScriptedServer(always(data)) as server:
        client = make(server.url, credentials=Credentials("AKID", "seCret", "TOKEN"))
        with pytest.raises(expected) as failure:
            client.stop()
    text = f"{failure.value} {vars(failure.value)}"
    assert "TOKEN" not in text
    assert "seCret" not in text
    assert "a Token" in text or expected is ResponseDecodeError


# Lists, waits, runs


def test_list(make: Maker) -> None:
    """A list gives all pages."""
    with LocalNimble() as local:
        for number in range(120):
            local.add_session(studio_id="studio-1", session_id=f"session-{number}")
        client = make(local.endpoint_url, credentials=local.credentials, runtime=None)
        assert len({each.session_id for each in client.list_all()}) == 120
        assert len(local.requests) == 2


def test_repeated_page_token(make: Maker) -> None:
    """A page token that repeats is an error."""
    page = answer({"sessions": [], "nextToken": "1"})
    with ScriptedServer(always(page)) as server:
        with pytest.raises(ResponseDecodeError, match="page token twice"):
            make(server.url).list_all()
        assert len(server.requests) == 2


def test_wait(make: Maker, clock: ManualClock) -> None:
    """A wait polls with its pauses until the session has stopped, and reports every poll."""
    with LocalNimble(transition_seconds=20, clock=lambda: clock.epoch) as local:
        local.add_session(studio_id="studio-1", session_id="session-1")
        client = make(local.endpoint_url, credentials=local.credentials)
        client.stop()
        states: list[str | None] = []

        def polled(session: StreamingSession) -> None:
            states.append(session.state)

        client.wait(on_poll=polled)
        assert states[0] == "STOP_IN_PROGRESS"
        assert states[-1] == "STOPPED"
        assert len(states) == len(clock.slept) + 1 > 5


@pytest.mark.parametrize(
    ("state", "kind"), [("STOP_FAILED", StopFailedError), ("READY", UnexpectedStateError)]
)
def test_wait_ends(state: str, kind: type[NimbleStopError], make: Maker) -> None:
    """A wait that cannot end well ends at once."""
    with LocalNimble() as local:
        local.add_session(studio_id="studio-1", session_id="session-1", state=state)
        client = make(local.endpoint_url, credentials=local.credentials, runtime=None)
        with pytest.raises(kind) as failure:
            client.wait()
        assert getattr(failure.value, "session").state == state  # noqa: B009 - of two classes


def test_wait_deadline(make: Maker, clock: ManualClock) -> None:
    """A wait ends at its deadline with the last session."""
    with LocalNimble(transition_seconds=None, clock=lambda: clock.epoch) as local:
        local.add_session(studio_id="studio-1", session_id="session-1")
        client = make(local.endpoint_url, credentials=local.credentials)
        client.stop()
        with pytest.raises(DeadlineExceededError) as failure:
            client.wait(deadline=30)
    assert sum(clock.slept) == pytest.approx(30)
    assert failure.value.session is not None


@pytest.mark.parametrize("wait", [False, True])
def test_stop_many(wait: bool, make: Maker, clock: ManualClock) -> None:  # noqa: FBT001
    """Many sessions are stopped once each, through throttling and failures; each gives a result."""
    lock = threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            clock.sleep(seconds)

    with LocalNimble() as local:
        ids = [f"session-{number}" for number in range(100)]
        for session_id in ids:
            local.add_session(studio_id="studio-1", session_id=session_id)
        stop: dict[str, Any] = {"operation": "StopStreamingSession"}
        local.inject(ServiceFailure("ThrottlingException"), probability=0.2, seed=1, **stop)
        local.inject(StopFails(), session_id="session-7")
        client = make(
            local.endpoint_url,
            credentials=local.credentials,
            runtime=attrs.evolve(
                clock.runtime, sleep=sleep, now=time.time, monotonic=time.monotonic
            ),
        )
        results = client.stop_all([*ids, "", "nobody"], wait=wait)

        kinds = {result.session_id: type(result.error) for result in results}
        assert len(results) == len(kinds) == 102
        assert (kinds.pop(""), kinds.pop("nobody")) == (
            RequestValidationError,
            ResourceNotFoundException,
        )
        assert kinds.pop("session-7") is (StopFailedError if wait else type(None))
        assert set(kinds.values()) == {type(None)}
        for session_id in ids:
            local.requests.assert_stopped_once(session_id)
            local.requests.assert_one_token(session_id)


@pytest.mark.parametrize("method", ["stop", "get", "list_all", "wait", "stop_all"])
def test_refused(method: str, make: Maker) -> None:
    """Invalid arguments are refused before anything is sent."""
    with ScriptedServer() as server:
        client = make(server.url)
        arguments: dict[str, dict[str, Any]] = {
            "stop": {"client_token": "\n"},
            "get": {"session_id": ""},
            "list_all": {"owned_by": 7},
            "wait": {"poll_interval": 0},
            "stop_all": {"session_ids": [], "max_concurrency": 0},
        }
        with pytest.raises(RequestValidationError):
            getattr(client, method)(**arguments[method])
        assert server.connections == 0


def test_pickles(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client pickles without its connections, and not with credentials that it was given."""
    import pickle

    from nimble_stop.exceptions import ConfigurationError

    with ScriptedServer(always(GOOD)) as server:
        given = make(server.url, credentials=credentials())
        with pytest.raises(ConfigurationError, match="secret"):
            pickle.dumps(given.client)

        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        found = make(server.url, credentials=None, runtime=None)
        found.stop()
        data = pickle.dumps(found.client)
        copy = pickle.loads(data)  # noqa: S301 - our own

    assert SECRET_ACCESS_KEY.encode() not in data
    assert type(copy) is type(found.client)
    assert repr(copy) == repr(found.client)
    assert json.dumps(server.url)[1:-1] in repr(copy)
