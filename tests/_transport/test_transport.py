from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from nimble_stop import RetryPolicy, Timeouts
from nimble_stop._transport.http import MAX_BODY_BYTES
from nimble_stop.exceptions import (
    ReadTimeoutError,
    ResponseDecodeError,
    ServiceError,
    TLSError,
)
from tests.support.clients import make_client
from tests.support.clock import ManualClock
from tests.support.company import leave_alone
from tests.support.scripted import (
    DATA,
    SESSION,
    Peer,
    ScriptedServer,
    always,
    answer,
    answering,
    error_answer,
    hang_up,
    reset,
    server_tls,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nimble_stop import NimbleClient

URL = "http://api.example:8080"
STOP_URL = f"{URL}/2020-08-01/studios/studio-1/streaming-sessions/session-1/stop"


@pytest.fixture(params=["alone", "beside requests"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run all of it in a process that does not use requests, and in one that does."""
    if request.param == "alone":
        leave_alone(monkeypatch)
    return str(request.param)


def stop(client: NimbleClient) -> str | None:
    """Stop the session."""
    return client.stop_session("studio-1", "session-1", client_token="token-1").session_id


def test_on_the_wire(clock: ManualClock) -> None:
    """What arrives is what was signed: one request, in HTTP/1.1, with these headers only."""
    with ScriptedServer(always(answer())) as server, make_client(server.url, clock) as client:
        assert stop(client) == "session-1"

    (request,) = server.requests
    assert request.line == (
        "POST /2020-08-01/studios/studio-1/streaming-sessions/session-1/stop HTTP/1.1"
    )
    assert request.body == b"{}"
    assert sorted(request.headers) == [
        "accept-encoding",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-amz-client-token",
        "x-amz-date",
        "x-amz-security-token",
    ]
    assert request.raw.count(b"\r\n") == len(request.headers)


def test_awkward_path(clock: ManualClock) -> None:
    """A path arrives as it was signed: nothing on the way normalises it."""
    with ScriptedServer(always(answer())) as server:
        with make_client(server.url + "/base%20path/", clock) as client:
            client.get_session("../x", "%2e%2e/a?b#c%2f~")

        assert server.targets == [
            "/base%20path/2020-08-01/studios/..%2Fx/streaming-sessions/%252e%252e%2Fa%3Fb%23c%252f~"
        ]


def test_neither_netrc_nor_cookies(
    clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A netrc that names the host changes nothing, and no cookie comes back."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    cookie = answer(headers={"Set-Cookie": "a=b; Path=/"})
    with ScriptedServer(always(cookie)) as server, make_client(server.url, clock) as client:
        stop(client)
        stop(client)

    for request in server.requests:
        assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
        assert "cookie" not in request.headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect(status: int, clock: ManualClock) -> None:
    """A redirect is an error, and nothing goes where it points."""
    with ScriptedServer(always(answer())) as elsewhere:
        script = always(answer(b"", status=status, headers={"Location": elsewhere.url}))
        with (
            ScriptedServer(script) as server,
            make_client(server.url, clock) as client,
            pytest.raises(ServiceError) as failure,
        ):
            stop(client)

        assert failure.value.http_status == status
        assert (len(server.requests), elsewhere.connections) == (1, 0)


BODY = json.dumps({"session": SESSION}).encode()
BOMB = gzip.compress(b'{"session": {"sessionId": "' + b"x" * 20 * MAX_BODY_BYTES + b'"}}')


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_unasked_coding(coding: str, clock: ManualClock) -> None:
    """A coded answer, although none was asked for, is decoded."""
    coded = answer(gzip.compress(BODY), headers={"Content-Encoding": coding})
    with ScriptedServer(always(coded)) as server, make_client(server.url, clock) as client:
        assert stop(client) == "session-1"
        assert server.requests[0].headers["accept-encoding"] == "identity"


TOO_LONG = {
    "a bomb": answer(BOMB, headers={"Content-Encoding": "gzip"}),
    "announced": answer(BODY, length=10**12),
    "long": answer(b" " * (MAX_BODY_BYTES + 1) + BODY),
}


def endless(data: bytes) -> Callable[[Peer], None]:
    """Write a script that answers, and goes on with blanks without an end."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)
        peer.flood(b" " * 65536)

    return script


@pytest.mark.parametrize("data", TOO_LONG.values(), ids=TOO_LONG.keys())
def test_too_long(data: bytes, clock: ManualClock) -> None:
    """An answer beyond the cap is an error that holds at most the cap, and is not retried."""
    with (
        ScriptedServer(endless(data)) as server,
        make_client(server.url, clock) as client,
        pytest.raises(ResponseDecodeError, match="too long") as failure,
    ):
        stop(client)

    assert len(failure.value.body) <= MAX_BODY_BYTES
    assert len(server.requests) == 1


FAILED = error_answer(500, "InternalServerErrorException")
SHORT = answer(BODY, length=len(BODY) + 1)


@pytest.mark.parametrize(
    "script", [hang_up(SHORT), hang_up(b""), reset, hang_up(b"garbage\r\n\r\n"), hang_up(FAILED)]
)
def test_retried(script: Callable[[Peer], None], clock: ManualClock) -> None:
    """A short, lost or failed answer is tried again, with one token and a new signature."""
    with (
        ScriptedServer(script, always(answer())) as server,
        make_client(server.url, clock) as client,
    ):
        assert stop(client) == "session-1"

    first, second = server.requests
    assert first.headers["x-amz-client-token"] == second.headers["x-amz-client-token"] == "token-1"
    assert first.headers["amz-sdk-invocation-id"] == second.headers["amz-sdk-invocation-id"]
    assert second.headers["amz-sdk-request"] == "attempt=2; max=3"
    assert clock.slept == [0.025]


def test_new_signature_per_attempt() -> None:
    """Each attempt is dated and signed at its own time."""
    clock = ManualClock(dice=1.0)
    with (
        ScriptedServer(answering(error_answer(429, "Throttling"), answer())) as server,
        make_client(server.url, clock) as client,
    ):
        stop(client)

    first, second = server.requests
    assert first.headers["x-amz-date"] != second.headers["x-amz-date"]
    assert first.headers["authorization"] != second.headers["authorization"]


def test_stale_connection_costs_no_attempt(clock: ManualClock) -> None:
    """A kept connection that the server closed is replaced within the attempt."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer())
        peer.read_request()

    with (
        ScriptedServer(script, always(answer())) as server,
        make_client(server.url, clock) as client,
    ):
        stop(client)
        stop(client)

    assert [request.headers["amz-sdk-request"] for request in server.requests] == [
        "attempt=1; max=3"
    ] * 3
    assert clock.slept == []


@pytest.mark.parametrize("read", [1, 0.05])
def test_time_out_of_either_type(read: float, clock: ManualClock) -> None:
    """A time-out that is a whole number is as good as any other."""
    with (
        ScriptedServer() as server,
        make_client(
            server.url,
            clock,
            timeout=Timeouts(connect=1, read=read),
            retry=RetryPolicy(max_attempts=1),
        ) as client,
        pytest.raises(ReadTimeoutError),
    ):
        stop(client)


def test_tls_failure_is_not_retried(clock: ManualClock) -> None:
    """A certificate that is not trusted ends the call after one attempt, with nothing sent."""
    with (
        ScriptedServer(always(answer()), tls=server_tls()) as server,
        make_client(server.url, clock) as client,
        pytest.raises(TLSError) as failure,
    ):
        stop(client)

    assert (failure.value.attempts, failure.value.outcome_unknown) == (1, False)
    assert (server.connections, server.requests) == (1, [])


def test_ca_bundle_of_the_environment(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_CA_BUNDLE says who is trusted."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(DATA / "server.crt"))
    with (
        ScriptedServer(always(answer()), tls=server_tls()) as server,
        make_client(server.url, clock) as client,
    ):
        assert stop(client) == "session-1"


def test_http_proxy(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """An HTTP proxy is asked for the whole URL; the signature is the endpoint's."""
    with ScriptedServer(always(answer())) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:word@"))
        with make_client("http://api.example:8080/base", clock) as client:
            assert stop(client) == "session-1"
            assert stop(client) == "session-1"

    assert proxy.connections == 1
    request = proxy.requests[0]
    assert request.target == f"{STOP_URL}".replace(":8080/", ":8080/base/")
    assert request.headers["host"] == "api.example:8080"
    assert request.headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"
    assert "proxy-authorization" not in request.headers["authorization"]


def test_https_proxy(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a tunnel the proxy sees the host, and nothing of the request."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.start_tls(server_tls())
        peer.read_request()
        peer.send(answer())

    with ScriptedServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with make_client("https://localhost:8443", clock, ca_bundle=DATA / "server.crt") as client:
            assert stop(client) == "session-1"

    assert proxy.requests[0].line == "CONNECT localhost:8443 HTTP/1.1"
    assert "authorization" not in proxy.requests[0].headers
    assert proxy.requests[1].target.startswith("/2020-08-01/")


def test_no_proxy(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY leads around the proxy."""
    with ScriptedServer() as proxy, ScriptedServer(always(answer())) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with make_client(server.url, clock) as client:
            assert stop(client) == "session-1"

        assert proxy.connections == 0
