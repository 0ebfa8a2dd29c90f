from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import threading
from typing import TYPE_CHECKING
from unittest import mock
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.http_exceptions import TransferEncodingError

from nimble_stop.local import (
    Latency,
    LocalNimble,
    ResetAfterChange,
    ResetBeforeChange,
    ServiceFailure,
    TrickledBody,
    TruncatedBody,
)
from nimble_stop.local.api.answer import Answer, Refusal
from nimble_stop.local.web import handler, server_thread
from tests.local.support import (
    call,
    connect,
    exchange_bytes,
    get,
    receive,
    session_path,
    signed_headers,
    stop,
    stop_bytes,
)

if TYPE_CHECKING:
    from nimble_stop.local import Fault

HOST = b"Host: localhost\r\n"


def status(answer: bytes) -> int:
    """Read the status of an answer, 0 when there is none."""
    found = re.match(rb"HTTP/[01]\.[0-9] ([0-9]{3}) ", answer)
    return int(found[1]) if found else 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
        b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET a b HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 100_000 + b"\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_malformed_http(local: LocalNimble, data: bytes) -> None:
    """What is no HTTP is 4xx or a closed connection, and the next request is served."""
    answer = exchange_bytes(local, data)
    assert not answer or 400 <= status(answer) < 500
    assert get(local, "studio-1", "session-1").status == 200


def test_malformed_http_is_answered_as_aws_would(local: LocalNimble) -> None:
    """Even then there are a JSON object, an error type, a request id and a date."""
    answer = exchange_bytes(local, b"GET / HTTP/9.9\r\n" + HOST + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body)["code"] == "MalformedHttpRequestException"
    for name in (b"x-amzn-errortype:", b"x-amzn-requestid:", b"date:"):
        assert name in head.lower()


def test_what_the_endpoint_fails_at_is_no_fault_of_the_clients(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failure outside the service is 500, says so, and is logged with its cause."""

    def broken_clock() -> float:
        raise ArithmeticError

    with LocalNimble(clock=broken_clock) as local:
        answer = exchange_bytes(local, b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
    assert status(answer) == 500
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {
        "message": "The endpoint failed.",
        "code": "InternalServerErrorException",
        "context": {},
    }
    assert "ArithmeticError" in caplog.text


def test_a_client_that_hangs_up_is_no_failure(
    local: LocalNimble, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that ends in the middle of a body is nothing to log."""
    assert exchange_bytes(local, stop_bytes(local)[:-1], half_close=True) == b""
    local.close()
    assert not caplog.records


def test_endless_headers(local: LocalNimble) -> None:
    """A head that does not end is cut off, however it is sent."""
    with connect(local) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + HOST)
        with pytest.raises(OSError, match=r"reset|Broken|abort"):
            _send_forever(client, b"X: " + b"a" * 10_000 + b"\r\n")
    assert get(local, "studio-1", "session-1").status == 200


def _send_forever(client: socket.socket, data: bytes) -> None:
    while True:
        client.sendall(data)


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: 1048577\r\n\r\n" + b"x" * 1_048_577,
        b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 17,
    ],
)
def test_bodies_that_are_too_large(local: LocalNimble, data: bytes) -> None:
    """An announced gigabyte is refused at once, and so is one that just comes."""
    answer = exchange_bytes(local, b"POST /x HTTP/1.1\r\n" + HOST + data)
    assert status(answer) == 413
    assert b"RequestEntityTooLargeException" in answer
    assert get(local, "studio-1", "session-1").status == 200


def test_a_body_of_the_largest_size_is_read(local: LocalNimble) -> None:
    """The limit itself is still good."""
    body = b"{" + b" " * (handler.BODY_BYTES - 2) + b"}"
    assert stop(local, "studio-1", "session-1", body=body).status == 200


def test_silent_and_slow_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends nothing, half a head or half a body is disconnected."""
    monkeypatch.setattr(server_thread, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(handler, "BODY_SECONDS", 0.05)
    with LocalNimble() as local:
        assert exchange_bytes(local, b"") == b""
        assert exchange_bytes(local, b"GET / HT") == b""
        answer = exchange_bytes(
            local, b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nabc"
        )
        assert status(answer) == 408
        with connect(local) as client:
            client.sendall(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
            assert status(receive(client)) == 403
            client.sendall(b"GET /x HT")
            assert receive(client) == b""


def test_half_open_connections(local: LocalNimble) -> None:
    """Who hangs up in the middle changes nothing."""
    data = stop_bytes(local)
    assert exchange_bytes(local, data[:-1], half_close=True) == b""
    assert exchange_bytes(local, data[:100], half_close=True) == b""
    assert get(local, "studio-1", "session-1").session["state"] == "READY"


def test_a_body_that_breaks_off(local: LocalNimble, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunked body that stops making sense is refused."""
    monkeypatch.setattr(handler, "BODY_SECONDS", 0.2)
    with connect(local) as client:
        client.sendall(b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"2\r\n{}\r\n")
        client.sendall(b"zz\r\n")
        assert 400 <= status(receive(client)) < 500
    assert get(local, "studio-1", "session-1").status == 200


def test_keep_alive_and_pipelining(local: LocalNimble) -> None:
    """Several requests use one connection, also when they come at once."""
    netloc = urlsplit(local.endpoint_url).netloc
    path = session_path("studio-1", "session-1")
    client = http.client.HTTPConnection(netloc, timeout=10)
    for _ in range(3):
        client.request("GET", path, headers=signed_headers(local, "GET", path))
        assert client.getresponse().read()
    client.close()
    with connect(local) as bare:
        bare.sendall((b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n") * 2)
        received = b""
        while received.count(b"HTTP/1.1 403") < 2:
            received += bare.recv(65536)


def test_expect_continue(local: LocalNimble) -> None:
    """A client that waits for permission to send its body gets it, once."""
    head, body = stop_bytes(local, Expect="100-continue").split(b"\r\n\r\n")
    with connect(local) as client:
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert status(receive(client)) == 200


def test_a_large_body_gets_no_permission(local: LocalNimble) -> None:
    """A body that is announced as too large need not be sent at all."""
    answer = exchange_bytes(
        local,
        b"POST /x HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n",
    )
    assert status(answer) == 413


def test_a_compressed_body_stays_as_it_was_sent(local: LocalNimble) -> None:
    """Nothing is unpacked before its signature is checked."""
    path = session_path("studio-1", "session-1", "stop")
    reply = call(local, "POST", path, body=b"\x1f\x8b junk", headers={"Content-Encoding": "gzip"})
    assert (reply.status, reply.error) == (415, "UnsupportedMediaTypeException")


@pytest.mark.parametrize("error", [web.RequestPayloadError(), TransferEncodingError("zz")])
def test_a_body_that_aiohttp_cannot_read(error: Exception) -> None:
    """What its parser finds wrong in a body is a refusal as well."""
    # With aiohttp's C parser such a request does not get here, with its Python parser it does.
    request = mock.create_autospec(web.BaseRequest, instance=True)
    request.content_length = None
    request.headers = {}
    request.content.iter_any.side_effect = error
    with pytest.raises(Refusal) as caught:
        asyncio.run(handler.read_body(request))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "target",
    [
        "/%5fnimble-stop/health",
        "/_Nimble-stop/health",
        "/x/../_nimble-stop/health",
        "/./_nimble-stop/health",
        "//_nimble-stop/health",
        "/_nimble-stop",
        "http://localhost/_nimble-stop/health",
    ],
)
def test_only_the_exact_prefix_is_the_admin_apis(local: LocalNimble, target: str) -> None:
    """What another reader could take for the admin API is judged as a request for AWS's."""
    answer = exchange_bytes(local, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert status(answer) in {400, 403}
    assert len(local.requests) == 1


@pytest.mark.parametrize(
    "path", ["../2020-08-01/studios", "%2e%2e/2020-08-01", "/health", "health/", "./health", "%zz"]
)
def test_a_target_of_the_admin_api_is_read_strictly(local: LocalNimble, path: str) -> None:
    """Empty and dot segments lead nowhere, and never out of the admin API."""
    answer = exchange_bytes(
        local, f"GET /_nimble-stop/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    )
    assert status(answer) == 400
    assert len(local.requests) == 0


def test_every_answer_has_a_request_id_and_a_date(local: LocalNimble) -> None:
    """Whoever answers, and whatever: AWS, the admin API, or what is not HTTP at all."""
    for target in ("/x", "/_nimble-stop/health", "/_nimble-stop/x", "a b c"):
        answer = exchange_bytes(local, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert b"x-amzn-requestid: " in head
        assert b"date: " in head


def test_a_connection_is_closed_behind_a_body_that_was_not_read(local: LocalNimble) -> None:
    """What is left of a refused body is never taken for a request."""
    with connect(local) as client:
        client.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n")
        answer = receive(client)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nconnection: close\r\n" in answer.lower()
        client.sendall(stop_bytes(local))
        assert receive(client) == b""
    local.requests.assert_not_stopped("session-1")


@pytest.mark.parametrize("code", ["RequestTimeoutException", "ConflictException"])
def test_a_connection_stays_open_behind_an_injected_error(local: LocalNimble, code: str) -> None:
    """A request that was read is done with, whatever error it is answered with."""
    local.inject(ServiceFailure(code), times=1)
    with connect(local) as client:
        client.sendall(stop_bytes(local))
        assert code.encode() in receive(client)
        client.sendall(stop_bytes(local))
        assert receive(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("fault", "state"), [(ResetBeforeChange(), "READY"), (ResetAfterChange(), "STOPPED")]
)
def test_resets(local: LocalNimble, fault: Fault, state: str) -> None:
    """The connection is reset, before or after the change, and the journal knows which."""
    local.inject(fault, times=1)
    with connect(local) as client:
        client.sendall(stop_bytes(local))
        with pytest.raises(ConnectionResetError):
            client.recv(65536)
    assert local.sessions["studio-1", "session-1"].state == state
    record = local.requests[-1]
    assert (record.status, record.applied) == (None, state == "STOPPED")
    assert record.faults == (type(fault).__name__,)


@pytest.mark.parametrize(("keep", "kept"), [(None, 0.5), (0, 0.0), (10_000_000, 1.0)])
def test_truncated_bodies(local: LocalNimble, keep: int | None, kept: float) -> None:
    """The change is made, and less of the answer comes than was announced."""
    local.inject(TruncatedBody(keep), times=1)
    with connect(local) as client:
        client.sendall(stop_bytes(local))
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    announced = re.search(rb"(?i)content-length: ([0-9]+)", head)
    assert announced is not None
    assert len(body) < int(announced[1])
    assert len(body) == pytest.approx(int(announced[1]) * kept, abs=1)
    local.requests.assert_stopped_once("session-1")


def test_trickled_bodies(local: LocalNimble) -> None:
    """The answer comes in small pieces, whole in the end, and the connection stays good."""
    local.inject(TrickledBody(0.001, 100), times=1)
    with connect(local) as client:
        client.sendall(stop_bytes(local))
        pieces = [client.recv(65536)]
        while b'"RETAIN"}}' not in b"".join(pieces):
            pieces.append(client.recv(65536))
        assert len(pieces) > 3
        client.sendall(stop_bytes(local))
        assert receive(client).startswith(b"HTTP/1.1 200 ")
    local.requests.assert_stopped_once("session-1")


def test_the_head_of_a_trickled_body_comes_at_once(local: LocalNimble) -> None:
    """A client waits for the body only, so it knows the status and the length before."""
    local.inject(TrickledBody(60))
    with connect(local) as client:
        client.sendall(stop_bytes(local))
        head = client.recv(65536)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")


def test_a_client_that_went_away_changes_nothing_for_others(local: LocalNimble) -> None:
    """Answers that nobody waits for any more do no harm."""
    for fault in (TrickledBody(0.001), ResetAfterChange(), TruncatedBody(), None):
        if fault is not None:
            local.inject(fault, times=1)
        with connect(local) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(stop_bytes(local))
    assert get(local, "studio-1", "session-1").status == 200


def test_a_client_that_is_gone_cannot_be_reset() -> None:
    """A reset that comes too late is none, and the change was made."""
    noted = threading.Event()
    with LocalNimble(on_request=lambda _: noted.set()) as slow:
        slow.add_session(studio_id="studio-1", session_id="session-1")
        slow.inject(Latency(0.05), times=1)
        slow.inject(ResetAfterChange(), times=1)
        with connect(slow) as client:
            client.sendall(stop_bytes(slow))
        assert noted.wait(10)
        slow.requests.assert_stopped_once("session-1")
        assert get(slow, "studio-1", "session-1").status == 200


@pytest.mark.parametrize("delivery", [ResetAfterChange(), TruncatedBody(0)])
def test_a_client_that_is_gone_needs_no_end(delivery: ResetAfterChange | TruncatedBody) -> None:
    """Closing or resetting a connection that is lost already does nothing."""
    request = mock.create_autospec(web.BaseRequest, instance=True, transport=None)
    answer = Answer(status=200, body=b"{}", delivery=delivery)
    with (
        mock.patch.object(web.StreamResponse, "prepare"),
        mock.patch.object(web.StreamResponse, "write"),
    ):
        response = asyncio.run(handler.deliver(request, answer))
    assert response.status == 200
