from __future__ import annotations

import re
import socket
import threading
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from aiohttp import web

from nimble_stop.local import (
    Latency,
    LocalNimble,
    ResetAfterChange,
    ResetBeforeChange,
    ServiceFailure,
    TrickledBody,
    TruncatedBody,
)
from nimble_stop.local.api.answer import Answer
from nimble_stop.local.web import messages
from tests.local.support import connect, get, receive, stop_bytes

if TYPE_CHECKING:
    from nimble_stop.local import Fault


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


def test_a_client_that_is_gone_needs_no_end() -> None:
    """Closing or resetting a connection that is lost already does nothing."""
    request = mock.create_autospec(web.BaseRequest, instance=True, transport=None)
    wire = messages._HttpWire(request, Answer(status=200, body=b""))
    wire.close()
    wire.reset()
    assert not wire.response.prepared
