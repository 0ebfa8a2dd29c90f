"""TCP, TLS and proxies: connections to one endpoint, each used by one call at a time.

A connection goes back to the pool only after a complete answer with nothing behind it, so no
answer ever reaches another call; whatever else happens, it is closed. Every wait is bounded.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from urllib3.util import wait_for_read

from nimble_stop._fork import renew_in_children
from nimble_stop._http import AnswerError, ResponseReader
from nimble_stop._tls import make_tls_context
from nimble_stop.exceptions import (
    ConnectionFailedError,
    ConnectionLostError,
    ConnectTimeoutError,
    ProxyError,
    ReadTimeoutError,
    TLSError,
)

if TYPE_CHECKING:
    from nimble_stop._config import Config
    from nimble_stop._endpoint import Endpoint
    from nimble_stop._proxy import Proxy

_Address = tuple[Any, Any, int, str, Any]

# Answers are a few KiB; a page of sessions comes in a few reads.
_RECEIVE_BYTES: Final = 16 * 1024
_CONNECTED: Final = 200
# Eleven days; a socket's time-out overflows at 24.
_LONGEST_WAIT: Final = 1_000_000.0


class TimeLimit:
    """A time by which several socket operations must be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + min(seconds, _LONGEST_WAIT)

    def within(self, seconds: float) -> TimeLimit:
        """Give the tighter of this limit and one of so many seconds from now."""
        return TimeLimit(min(seconds, self._end - time.monotonic()))

    @property
    def remaining(self) -> float:
        """How many seconds are left.

        Raises:
            TimeoutError: None are.
        """
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        return remaining


class _ClosedBeforeAnswerError(ConnectionLostError):
    """The peer closed the connection before it sent a single byte."""


class ConnectionPool:
    """The connections of a client to its endpoint, or to the proxy in front of it."""

    def __init__(self, config: Config, proxy: Proxy | None) -> None:
        self._endpoint = config.endpoint
        self._ca_bundle = config.ca_bundle
        self._max_idle = config.max_connections
        self._proxy = proxy
        # Appending and popping are atomic, so threads need no lock. The last one used comes first:
        # it is the least likely to have been closed in the meantime.
        self._idle: deque[socket.socket] = deque()
        self._closed = False
        renew_in_children(self)

    def exchange(
        self, message: memoryview, *, connect: float, read: float, total: float
    ) -> ResponseReader:
        """Send a request and read the whole answer.

        Args:
            message: The request's bytes; a view, because its repr does not show them.
            connect: Seconds for a new connection.
            read: Seconds from then on until the answer's last byte.
            total: Seconds for both together.

        Raises:
            TransportError: There is no complete answer; the subclass says why.
        """
        if self._closed:
            raise ConnectionFailedError("The client is closed.", retryable=False)
        limit = TimeLimit(total)
        idle = self._take_idle()
        resent = False
        if idle is None:
            connection = self._connect(limit.within(connect))
        else:
            try:
                return self._exchange_on(idle, message, limit.within(read))
            except _ClosedBeforeAnswerError as error:
                connection = self._replace(error, limit.within(connect))
                resent = True
        try:
            reader = self._exchange_on(connection, message, limit.within(read))
        except _ClosedBeforeAnswerError as error:
            # A distinction that matters to kept connections only.
            raise ConnectionLostError(error.message) from None
        reader.resent = resent
        return reader

    def _replace(self, closed: ConnectionLostError, limit: TimeLimit) -> socket.socket:
        """Replace a kept connection that the server has closed, which costs no attempt.

        As a rule it closed it before it read the request, but nobody knows: when there is no new
        connection either, the request counts as sent.
        """
        try:
            return self._connect(limit)
        except ConnectionFailedError as error:
            raise ConnectionLostError(f"{closed.message} {error.message}") from None

    def close(self) -> None:
        """Close the idle connections, and those in use when they are done."""
        self._closed = True
        self._close_idle()

    def renew_after_fork(self) -> None:
        """Let go of the parent's connections, without a word on them."""
        self._close_idle()

    def _close_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _take_idle(self) -> socket.socket | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            # Readable means closed by the peer, or bytes that nobody asked for.
            if not wait_for_read(connection, timeout=0):
                return connection
            connection.close()

    def _keep(self, connection: socket.socket) -> None:
        if self._closed or len(self._idle) >= self._max_idle:
            connection.close()
            return
        self._idle.append(connection)
        if self._closed:
            self._close_idle()

    def _exchange_on(
        self, connection: socket.socket, message: memoryview, limit: TimeLimit
    ) -> ResponseReader:
        reader = ResponseReader()
        try:
            connection.settimeout(limit.remaining)
            connection.sendall(message)
            while not reader.complete:
                connection.settimeout(limit.remaining)
                reader.feed(connection.recv(_RECEIVE_BYTES))
        except TimeoutError:
            raise ReadTimeoutError(
                f"{self._endpoint.url} did not answer in time: "
                f"{'the answer broke off' if reader.started else 'nothing came back'}."
            ) from None
        except (AnswerError, OSError) as error:
            lost = ConnectionLostError if reader.started else _ClosedBeforeAnswerError
            raise lost(f"The answer of {self._endpoint.url} cannot be read: {error}.") from None
        finally:
            if reader.reusable:
                self._keep(connection)
            else:
                connection.close()
        return reader

    def _connect(self, limit: TimeLimit) -> socket.socket:
        endpoint, proxy = self._endpoint, self._proxy
        host, port = (proxy.host, proxy.port) if proxy else (endpoint.host, endpoint.port)
        try:
            connection = _open_tcp(host, port, limit)
        except TimeoutError as error:
            raise ConnectTimeoutError(f"{host}:{port} was not reached in time: {error}.") from None
        except OSError as error:
            raise ConnectionFailedError(f"{host}:{port} cannot be reached: {error}.") from None
        try:
            if endpoint.scheme == "https":
                if proxy:
                    _open_tunnel(connection, endpoint, proxy, limit)
                return self._wrap_tls(connection, limit)
        except BaseException:
            connection.close()
            raise
        return connection

    def _wrap_tls(self, connection: socket.socket, limit: TimeLimit) -> socket.socket:
        try:
            context = self._tls_context
            connection.settimeout(limit.remaining)
            # After a reset this fails, and wrap_socket would too, but lose the socket unclosed.
            connection.getpeername()
            return context.wrap_socket(connection, server_hostname=self._endpoint.host)
        except TimeoutError:
            raise ConnectTimeoutError(
                f"{self._endpoint.url} did not finish the TLS handshake in time."
            ) from None
        except ssl.SSLError as error:
            raise TLSError(
                f"The TLS handshake with {self._endpoint.url} failed: {error}."
            ) from None
        except OSError as error:
            raise ConnectionFailedError(
                f"{self._endpoint.url} broke off the TLS handshake: {error}."
            ) from None

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        return make_tls_context(self._ca_bundle)


def _open_tcp(host: str, port: int, limit: TimeLimit) -> socket.socket:
    addresses = _look_up(host, port, limit)
    failure: OSError = OSError("the name has no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        connection = socket.socket(family, kind, protocol)
        try:
            # An address that does not answer leaves time for those behind it.
            connection.settimeout(limit.remaining / (len(addresses) - index))
            connection.connect(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure


def _look_up(host: str, port: int, limit: TimeLimit) -> list[_Address]:
    """Look a name up, within the limit: the resolver itself knows no time-out."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    outcome: list[list[_Address] | OSError] = []

    def look_up() -> None:
        try:
            outcome.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            # A name that DNS cannot hold is a UnicodeError.
            outcome.append(OSError(str(error)))

    thread = threading.Thread(target=look_up, name=f"look up {host}", daemon=True)
    thread.start()
    thread.join(limit.remaining)
    if not outcome:
        raise TimeoutError("the name was not resolved")
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _open_tunnel(
    connection: socket.socket, endpoint: Endpoint, proxy: Proxy, limit: TimeLimit
) -> None:
    """Have the proxy connect us to the endpoint (RFC 9110, section 9.3.6)."""
    reader = ResponseReader(answers_connect=True)
    try:
        connection.settimeout(limit.remaining)
        connection.sendall(memoryview(proxy.connect_request(endpoint)))
        while not reader.complete:
            connection.settimeout(limit.remaining)
            reader.feed(connection.recv(_RECEIVE_BYTES))
    except TimeoutError:
        raise ConnectTimeoutError(f"The proxy {proxy} did not answer in time.") from None
    except (AnswerError, OSError) as error:
        raise ProxyError(f"The answer of the proxy {proxy} cannot be read: {error}.") from None
    if reader.status != _CONNECTED:
        raise ProxyError(f"The proxy {proxy} refused with HTTP {reader.status}.")
