from __future__ import annotations

import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import pytest

from nimble_stop._transport.http import MAX_BODY_BYTES
from nimble_stop.exceptions import (
    ConnectionFailedError,
    ConnectionLostError,
    ReadTimeoutError,
)
from tests.support.pools import TRUSTED, Pools, exchange
from tests.support.scripted import (
    HANG_GUARD,
    Peer,
    ScriptedServer,
    always,
    answer,
    answering,
    hang_up,
    reset,
    server_tls,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop._transport.connection import ConnectionPool


def test_kept_alive(pools: Pools) -> None:
    """Connections are used again, one after the other."""
    with ScriptedServer(always(answer(b"hi"))) as server:
        pool = pools(server.url)
        assert [exchange(pool).body for _ in range(5)] == [b"hi"] * 5

        assert server.connections == 1
        assert len(server.requests) == 5


@pytest.mark.parametrize(
    "final",
    [
        answer(b"hi", headers={"Connection": "close"}),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        answer(b"hi") + answer(b"evil"),
        answer(b"hi") + b"\n",
        answer(b"hi!", length=2),
    ],
    ids=["close", "HTTP/1.0", "a second answer", "a byte", "a body past its length"],
)
def test_not_kept_alive(final: bytes, pools: Pools) -> None:
    """A connection that ends or holds more than the answer is not used again."""
    with ScriptedServer(answering(final, answer(b"evil")), always(answer(b"good"))) as server:
        pool = pools(server.url)

        assert exchange(pool).body == b"hi"
        assert exchange(pool).body == b"good"
        assert server.connections == 2


def test_second_answer_that_comes_later(pools: Pools) -> None:
    """What arrives on an idle connection never becomes the next call's answer."""
    go, sent = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer(b"first"))
        go.wait(HANG_GUARD)
        peer.send(answer(b"evil"))
        sent.set()
        peer.wait_until_closed()

    with ScriptedServer(script, always(answer(b"good"))) as server:
        pool = pools(server.url)
        assert exchange(pool).body == b"first"
        assert len(pool._idle) == 1
        go.set()
        assert sent.wait(HANG_GUARD)
        assert exchange(pool).body == b"good"


def closing(peer: Peer) -> None:
    """Answer once, wait for the next request, then close without a word."""
    peer.read_request()
    peer.send(answer(b"first"))
    peer.read_request()


def resetting(peer: Peer) -> None:
    """Answer once, wait for the next request, then reset."""
    closing(peer)
    peer.reset()


def leaving(peer: Peer) -> None:
    """Answer once and close at once."""
    peer.read_request()
    peer.send(answer(b"first"))


@pytest.mark.parametrize("script", [closing, resetting, leaving])
def test_stale_connection(script: Callable[[Peer], None], pools: Pools) -> None:
    """A kept connection that turns out to be closed is replaced, within the same exchange."""
    with ScriptedServer(script, always(answer(b"second"))) as server:
        pool = pools(server.url)

        assert exchange(pool).body == b"first"
        assert exchange(pool).body == b"second"
        assert server.connections == 2


def test_stale_connection_without_a_new_one(pools: Pools) -> None:
    """When the server is gone, the request on the kept connection counts as sent."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer(b"first"))
            connection.recv(1000)
            listener.close()

    thread = threading.Thread(target=serve)
    thread.start()
    pool = pools(f"http://127.0.0.1:{listener.getsockname()[1]}")
    exchange(pool)
    with pytest.raises(ConnectionLostError, match="cannot be reached") as failure:
        exchange(pool)
    thread.join(HANG_GUARD)
    assert failure.value.request_sent


def test_answer_that_broke_off_is_not_repeated(pools: Pools) -> None:
    """A kept connection that breaks after the first byte costs an attempt."""

    def script(peer: Peer) -> None:
        closing(peer)
        peer.send(b"H")

    with ScriptedServer(script, always(answer(b"no"))) as server:
        pool = pools(server.url)
        exchange(pool)
        with pytest.raises(ConnectionLostError):
            exchange(pool)
        assert server.connections == 1


def test_broken_connections_are_not_kept(pools: Pools) -> None:
    """After a time-out the connection is closed, and its late answer reaches nobody."""
    late = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        late.wait(HANG_GUARD)
        peer.send(answer(b"late"))

    with ScriptedServer(script, always(answer(b"good"))) as server:
        pool = pools(server.url)
        with pytest.raises(ReadTimeoutError, match="nothing came back"):
            exchange(pool, read=0.05)
        late.set()
        assert exchange(pool).body == b"good"


def endless_headers(peer: Peer) -> None:
    """Send headers without an end."""
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    peer.flood(b"X-Filler: " + b"x" * 1000 + b"\r\n")


BROKEN: dict[str, Callable[[Peer], None]] = {
    "closed": hang_up(b""),
    "reset": reset,
    "a cut status line": hang_up(b"HTTP/1.1 2"),
    "a cut head": hang_up(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "a short body": hang_up(answer(b"hi", length=3)),
    "a cut chunk": hang_up(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi"),
    "no HTTP": hang_up(b"220 mail.example ESMTP\r\n\r\n"),
    "endless headers": endless_headers,
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
def test_broken_answers(script: Callable[[Peer], None], pools: Pools) -> None:
    """An answer that is cut, reset or no HTTP is a lost connection, under its public name."""
    with ScriptedServer(script) as server, pytest.raises(ConnectionLostError) as failure:
        exchange(pools(server.url))

    assert type(failure.value) is ConnectionLostError
    assert failure.value.request_sent
    assert server.connections == 1


def test_trickle(pools: Pools) -> None:
    """Bytes that trickle in do not keep an exchange alive."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.trickle(answer(b"x" * 10_000))

    with ScriptedServer(script) as server:
        started = time.monotonic()
        with pytest.raises(ReadTimeoutError, match="broke off"):
            exchange(pools(server.url), total=0.2)
        assert time.monotonic() - started < HANG_GUARD


@pytest.mark.parametrize("limit", ["read", "total"])
def test_silence(limit: str, pools: Pools) -> None:
    """A server that says nothing ends in a time-out by either limit."""
    with ScriptedServer() as server, pytest.raises(ReadTimeoutError):
        exchange(pools(server.url), **{limit: 0.05})


@pytest.mark.parametrize("limit", ["read", "total"])
def test_silence_on_a_kept_connection(limit: str, pools: Pools) -> None:
    """Either limit holds for a kept connection as well, and a time-out there costs an attempt."""
    with ScriptedServer(answering(answer(b"first"))) as server:
        pool = pools(server.url)
        exchange(pool)
        started = time.monotonic()
        with pytest.raises(ReadTimeoutError):
            exchange(pool, **{limit: 0.05})

        assert time.monotonic() - started < HANG_GUARD / 2
        assert server.connections == 1


def test_interim_answers_do_not_keep_it_alive(pools: Pools) -> None:
    """Endless interim answers end in a time-out."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.flood(b"HTTP/1.1 100 Continue\r\n\r\n")

    with ScriptedServer(script) as server, pytest.raises(ReadTimeoutError):
        exchange(pools(server.url), total=0.2)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 500 Bad\r\n\r\n",
    ],
)
def test_endless_body(head: bytes, pools: Pools) -> None:
    """An endless body ends at the cap, and its connection with it."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(head)
        peer.flood(b"x" * 65536)

    with ScriptedServer(script, always(answer(b"good"))) as server:
        pool = pools(server.url)
        reader = exchange(pool)

        assert (len(reader.body), reader.truncated) == (MAX_BODY_BYTES, True)
        assert exchange(pool).body == b"good"


def test_unread_request(pools: Pools) -> None:
    """A request that the server does not take ends in a time-out."""
    message, done = memoryview(b"x" * 50_000_000), threading.Event()
    with ScriptedServer(lambda _: (done.wait(HANG_GUARD), None)[1]) as server:
        with pytest.raises(ReadTimeoutError):
            pools(server.url).exchange(message, connect=1, read=0.1, total=0.1)
        done.set()


def test_most_idle(pools: Pools) -> None:
    """No more connections are kept than was asked for."""
    barrier = threading.Barrier(4)

    def script(peer: Peer) -> None:
        peer.read_request()
        barrier.wait(HANG_GUARD)
        peer.send(answer(b"hi"))
        peer.wait_until_closed()

    with ScriptedServer(script) as server:
        pool = pools(server.url, max_connections=2)
        threads = [threading.Thread(target=exchange, args=(pool,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG_GUARD)
        assert server.connections == 4
        assert len(pool._idle) == 2


def test_closed(pools: Pools) -> None:
    """A closed pool keeps nothing, and refuses further requests for good."""
    with ScriptedServer(always(answer(b"hi"))) as server:
        pool = pools(server.url)
        exchange(pool)
        pool.close()

        assert len(pool._idle) == 0
        with pytest.raises(ConnectionFailedError, match="closed") as failure:
            exchange(pool)
        assert failure.value.retryable is False


def test_closed_while_in_use(pools: Pools) -> None:
    """A connection that was in use when the pool was closed is closed after its answer."""
    asked, go = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        asked.set()
        go.wait(HANG_GUARD)
        peer.send(answer(b"hi"))
        peer.wait_until_closed()

    with ScriptedServer(script) as server:
        pool, bodies = pools(server.url), list[bytes]()
        thread = threading.Thread(target=lambda: bodies.append(exchange(pool).body))
        thread.start()
        assert asked.wait(HANG_GUARD)
        pool.close()
        go.set()
        thread.join(HANG_GUARD)

        assert bodies == [b"hi"]
        assert len(pool._idle) == 0


class ClosingDeque(deque[socket.socket]):
    """A deque during whose append another thread closes the pool."""

    pool: ConnectionPool

    def append(self, item: socket.socket) -> None:
        """Append, and have the pool closed before anything else happens."""
        self.pool._closed = True
        super().append(item)


def test_closed_while_giving_back(pools: Pools) -> None:
    """A connection that is given back while the pool is being closed is closed with it."""
    with ScriptedServer(always(answer(b"hi"))) as server:
        pool = pools(server.url)
        pool._idle = ClosingDeque()
        pool._idle.pool = pool
        exchange(pool)

        assert len(pool._idle) == 0


def test_second_answer_over_tls(pools: Pools) -> None:
    """A second answer in TLS, too, reaches nobody."""
    twice = answering(answer(b"first") + answer(b"evil"), answer(b"evil"))
    with ScriptedServer(twice, always(answer(b"good")), tls=server_tls()) as server:
        pool = pools(server.url, ca_bundle=TRUSTED)

        assert exchange(pool).body == b"first"
        assert exchange(pool).body == b"good"


@pytest.mark.parametrize("seconds", [1e7, 1e12, 1e300, float("inf")])
def test_very_long_limits(seconds: float, pools: Pools) -> None:
    """A limit of years is no more than a socket can bear."""
    with ScriptedServer(always(answer(b"hi"))) as server:
        reader = exchange(pools(server.url), connect=seconds, read=seconds, total=seconds)

    assert reader.body == b"hi"


def test_fork_lets_go(pools: Pools) -> None:
    """What a child does first is to close its copies of idle connections."""
    with ScriptedServer(always(answer(b"hi"))) as server:
        pool = pools(server.url)
        exchange(pool)
        pool.renew_after_fork()

        assert exchange(pool).body == b"hi"
        assert server.connections == 2
