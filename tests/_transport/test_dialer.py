from __future__ import annotations

import socket
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from nimble_stop._transport.proxy import Proxy
from nimble_stop.exceptions import (
    ConnectionFailedError,
    ConnectTimeoutError,
    NimbleStopError,
    ProxyError,
)
from tests.support.pools import TRUSTED, Pools, exchange
from tests.support.scripted import (
    HANG_GUARD,
    Peer,
    ScriptedServer,
    always,
    answer,
    hang_up,
    server_tls,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_interrupted_while_connecting(pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption while connecting is passed on, and leaves no socket open."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("socket.socket.connect", interrupt)
    with pytest.raises(KeyboardInterrupt):
        exchange(pools("http://127.0.0.1:1"))


def test_refused(pools: Pools) -> None:
    """A port where nobody listens is a failed connection, not a lost one."""
    with ScriptedServer() as server:
        url = server.url

    with pytest.raises(ConnectionFailedError, match="cannot be reached") as failure:
        exchange(pools(url))
    assert not failure.value.request_sent


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b"])
def test_unknown_name(host: str, pools: Pools) -> None:
    """A name that is not known, or that DNS cannot hold, is a failed connection."""
    with pytest.raises(ConnectionFailedError, match="cannot be reached"):
        exchange(pools("http://h", Proxy(host, 80)))


def test_slow_name_lookup(pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that does not answer ends in a time-out."""
    go = threading.Event()

    def wait(*_: object, **__: object) -> None:
        go.wait(HANG_GUARD)
        raise OSError("too late")

    monkeypatch.setattr("socket.getaddrinfo", wait)
    with pytest.raises(ConnectTimeoutError, match="not resolved"):
        exchange(pools("http://slow.example"), connect=0.05)
    go.set()


def test_lookup_without_threads(pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread is to be had, a name is looked up all the same."""

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr("nimble_stop._transport.dialer.threading", SimpleNamespace(Thread=NoThread))
    with ScriptedServer(always(answer(b"hi"))) as server:
        assert exchange(pools(server.url.replace("127.0.0.1", "localhost"))).body == b"hi"


def test_connect_time_out(pools: Pools) -> None:
    """A host that does not answer at all ends in a connect time-out."""
    # A full backlog: Linux leaves further connections unanswered.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - its own signature
            filler.connect_ex(("127.0.0.1", port))
        with pytest.raises(ConnectTimeoutError):
            exchange(pools(f"http://127.0.0.1:{port}"), connect=0.1)
        for filler in fillers:
            filler.close()


def test_second_address(pools: Pools) -> None:
    """Where the name's first address refuses, the next one is tried."""
    with ScriptedServer(always(answer(b"hi"))) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        assert exchange(pools(url)).body == b"hi"


def tunnel(reply: bytes, then: bytes = b"") -> Callable[[Peer], None]:
    """Write a proxy's script: accept the tunnel, and be the server behind it."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(reply)
        peer.start_tls(server_tls())
        while True:
            peer.read_request()
            peer.send(then)

    return script


def test_tunnel(pools: Pools) -> None:
    """Through a proxy, HTTPS goes in a tunnel: one CONNECT, then TLS with the endpoint itself."""
    script = tunnel(b"HTTP/1.1 200 Connection established\r\n\r\n", answer(b"hi"))
    with ScriptedServer(script) as server:
        proxy = Proxy("127.0.0.1", server.port, "Basic abc")
        pool = pools("https://localhost:8443", proxy, ca_bundle=TRUSTED)

        assert [exchange(pool).body for _ in range(2)] == [b"hi"] * 2
        assert [request.line for request in server.requests] == [
            "CONNECT localhost:8443 HTTP/1.1",
            "GET /a HTTP/1.1",
            "GET /a HTTP/1.1",
        ]
        assert server.requests[0].headers["proxy-authorization"] == "Basic abc"
        assert "proxy-authorization" not in server.requests[1].headers


NO_TUNNEL: dict[str, tuple[Callable[[Peer], None], type[NimbleStopError], str]] = {
    "407": (hang_up(answer(b"who?", status=407)), ProxyError, "refused with HTTP 407"),
    "502": (hang_up(b"HTTP/1.1 502 Bad\r\n\r\n"), ProxyError, "refused with HTTP 502"),
    "closed": (hang_up(b""), ProxyError, "cannot be read"),
    "no HTTP": (hang_up(b"hello\r\n\r\n"), ProxyError, "cannot be read"),
    "silent": (Peer.wait_until_closed, ConnectTimeoutError, "did not answer in time"),
    "no TLS behind it": (hang_up(b"HTTP/1.1 200 OK\r\n\r\n"), NimbleStopError, "TLS"),
}


@pytest.mark.parametrize(("script", "kind", "text"), NO_TUNNEL.values(), ids=NO_TUNNEL.keys())
def test_no_tunnel(
    script: Callable[[Peer], None], kind: type[NimbleStopError], text: str, pools: Pools
) -> None:
    """A proxy that refuses, breaks off or says nothing is told as what it is."""
    with ScriptedServer(script) as server:
        proxy = Proxy("127.0.0.1", server.port)
        with pytest.raises(kind, match=text):
            exchange(pools("https://h.example", proxy, ca_bundle=TRUSTED), connect=0.3)
