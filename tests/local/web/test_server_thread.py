from __future__ import annotations

import gc
import socket
import threading
import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING
from unittest import mock
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import Latency, LocalNimble
from nimble_stop.local.web import server_thread
from nimble_stop.local.web.server_thread import listen, url_of
from tests.local.support import connect, get, stop, stop_bytes

if TYPE_CHECKING:
    import asyncio


def test_a_free_port() -> None:
    """Port 0 takes a free one."""
    with closing(listen("127.0.0.1", 0)) as listener:
        assert listener.getsockname()[1] > 0


def test_a_port_in_use() -> None:
    """A port that somebody listens on is one clear error that names it."""
    with closing(listen("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port}.*in use"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port"), [("no.such.host.invalid", 0), ("x" * 64, 0), ("127.0.0.1", 70_000)]
)
def test_an_address_that_does_not_exist(host: str, port: int) -> None:
    """A bad host or port is one clear error."""
    with pytest.raises(ConfigurationError, match=r"cannot listen on|from 0 to 65535"):
        listen(host, port)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("studio.example", "http://studio.example:80"),
        ("", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104  # the case in question
        ("::", "http://[::1]:80"),
        ("fe80::1", "http://[fe80::1]:80"),
    ],
)
def test_the_url_of_an_address(host: str, url: str) -> None:
    """An IPv6 address is bracketed, and this machine stands for all addresses."""
    assert url_of(host, 80) == url


def test_connections_are_queued_before_it_serves() -> None:
    """Who connects between the taking of the port and the start is served afterwards."""
    local = LocalNimble().bind()
    try:
        with connect(local) as early:
            early.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            local.start()
            assert early.recv(65536).startswith(b"HTTP/1.1 403")
    finally:
        local.close()


def test_closing_does_not_wait_for_anybody() -> None:
    """Idle, half-open and busy connections are closed soon."""
    local = LocalNimble().start()
    local.add_session(studio_id="s", session_id="x")
    local.inject(Latency(60), operation="StopStreamingSession")
    busy = threading.Thread(target=_ignore_errors, args=(local,))
    busy.start()
    with connect(local) as idle, connect(local) as half_open:
        half_open.sendall(b"GET / HT")
        assert get(local, "s", "x").status == 200
        started = time.monotonic()
        local.close()
        assert time.monotonic() - started < 5
        assert _is_closed(idle)
        assert _is_closed(half_open)
    busy.join(10)
    assert not busy.is_alive()


def _ignore_errors(local: LocalNimble) -> None:
    with suppress(OSError):
        stop(local, "s", "x")


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_a_late_request_is_carried_out_all_the_same(local: LocalNimble) -> None:
    """A client that gave up waiting does not stop what it asked for."""
    local.inject(Latency(0.1))
    with connect(local) as impatient:
        impatient.sendall(stop_bytes(local))
    deadline = time.monotonic() + 10
    while not local.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    local.requests.assert_stopped_once("session-1")


def test_a_connection_that_cannot_be_set_up(
    local: LocalNimble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that fails before its first request ends, and the next ones are served."""
    failures = [OSError("the peer is gone")]
    set_up = web.RequestHandler.connection_made

    def fail_once(connection: web.RequestHandler, transport: asyncio.BaseTransport) -> None:
        if failures:
            transport.close()
            raise failures.pop()
        set_up(connection, transport)

    monkeypatch.setattr(web.RequestHandler, "connection_made", fail_once)
    with connect(local) as client:
        assert _is_closed(client)
    assert get(local, "studio-1", "session-1").status == 200
    assert "the peer is gone" in caplog.text


def test_malformed_bytes_of_a_client_that_is_gone() -> None:
    """There is nobody to answer, and nothing fails."""
    request = mock.create_autospec(web.BaseRequest, instance=True, transport=None)
    server_thread._answer_malformed(request)


def test_connections_that_arrive_while_it_closes() -> None:
    """A connection that is being accepted when the endpoint closes is closed with it."""
    for _ in range(20):
        with LocalNimble() as local, ExitStack() as stack:
            address = urlsplit(local.endpoint_url)
            host, port = str(address.hostname), int(address.port or 0)
            for _ in range(64):
                stack.enter_context(socket.create_connection((host, port)))
            local.close()
        # A lost socket is a ResourceWarning, which fails the test.
        gc.collect()
