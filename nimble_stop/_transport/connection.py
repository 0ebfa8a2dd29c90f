"""The connections to one endpoint, each used by one call at a time.

A connection goes back to the pool only after a complete answer with nothing behind it, so no
answer ever reaches another call; whatever else happens, it is closed. Every wait is bounded.
"""

from __future__ import annotations

import contextlib
import selectors
from collections import deque
from typing import TYPE_CHECKING, Final

from nimble_stop._config.fork import renew_in_children
from nimble_stop._transport.dialer import Dialer
from nimble_stop._transport.http import AnswerError, ResponseReader
from nimble_stop._transport.messages import unanswered
from nimble_stop._transport.time_limit import TimeLimit
from nimble_stop.exceptions import (
    ConnectionFailedError,
    ConnectionLostError,
    TransportError,
)

if TYPE_CHECKING:
    import socket

    from nimble_stop._config.config import Config
    from nimble_stop._transport.proxy import Proxy

# Answers are a few KiB; a page of sessions comes in a few reads.
_RECEIVE_BYTES: Final = 16 * 1024
# select() knows no more than a thousand descriptors; Windows has nothing else.
_Selector: Final = getattr(selectors, "PollSelector", selectors.SelectSelector)


class _ClosedBeforeAnswerError(ConnectionLostError):
    """The peer closed the connection before it sent a single byte."""


class ConnectionPool:
    """The connections of a client to its endpoint, or to the proxy in front of it."""

    def __init__(self, config: Config, proxy: Proxy | None) -> None:
        self._endpoint = config.endpoint
        self._dialer = Dialer(config.endpoint, proxy, config.ca_bundle)
        self._max_idle = config.max_connections
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
            raise ConnectionFailedError("The client is closed; make a new one.", retryable=False)
        limit = TimeLimit(total)
        idle = self._take_idle()
        resent = False
        if idle is None:
            connection = self._dialer.connect(limit.within(connect))
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
        connection either, for whatever reason, the request counts as sent.
        """
        try:
            return self._dialer.connect(limit)
        except TransportError as error:
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
            if not is_readable(connection):
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
        except (AnswerError, OSError) as error:
            failure = unanswered(self._endpoint, error, reader)
            if reader.started or isinstance(error, TimeoutError):
                raise failure from None
            raise _ClosedBeforeAnswerError(failure.message) from None
        finally:
            if reader.reusable:
                self._keep(connection)
            else:
                connection.close()
        return reader


def is_readable(connection: socket.socket) -> bool:
    """Tell whether the peer has closed a kept connection, or sent what nobody asked for."""
    with _Selector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))
