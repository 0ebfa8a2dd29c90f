"""The async transport: aiohttp connects, and the sync transport's reader reads.

aiohttp looks names up, connects, opens tunnels and TLS, and keeps connections. What goes over
them is written and read by the same code as in the sync client, so an answer is the same answer in
both. A connection is used again only when one complete answer is all that has come on it.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from nimble_stop import exceptions
from nimble_stop._transport.connection import is_readable
from nimble_stop._transport.http import AnswerError, ResponseReader
from nimble_stop._transport.messages import RequestWriter, read_answer, unanswered
from nimble_stop._transport.proxy import proxy_for
from nimble_stop._transport.tls import make_tls_context

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiohttp.connector import Connection

    from nimble_stop._api.response import Response
    from nimble_stop._call.steps import Send
    from nimble_stop._config.config import Config

# The connector's own timers are not used: ours hold for all of it together.
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=None, connect=None, sock_connect=None, sock_read=None
)
# A proxy's answer to CONNECT is shorter; who says more before it was asked is no server.
_MAX_EARLY_BYTES: Final = 64 * 1024


class _Handler(ResponseHandler):
    """One connection. A proxy's answer to CONNECT is aiohttp's to read, all others are ours."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.reader = ResponseReader()
        self.used = False
        self.surplus = False
        self._early = b""
        self._answered: asyncio.Future[None] | None = None

    @property
    def should_close(self) -> bool:
        """Whether the connection cannot be used again; the connector asks."""
        return self.surplus or not self.reader.reusable

    def close(self) -> None:
        """Drop the connection at once; TLS's farewell would keep it for half a minute."""
        if self.transport is not None:
            self.transport.abort()
        super().close()

    async def ask(self, message: memoryview, until: float) -> ResponseReader:
        """Send a request and read the whole answer.

        Args:
            message: The request's bytes.
            until: When the answer must be there, on the loop's clock.

        Raises:
            AnswerError: What came is no answer, or not all of it.
            OSError: The connection broke, or the time is over.
        """
        loop = asyncio.get_running_loop()
        if self.transport is None:
            raise ConnectionResetError("the connection was closed at once")
        self.reader, self.used = ResponseReader(), True
        self._answered = answered = loop.create_future()
        timer = loop.call_at(until, self._fail, TimeoutError())
        try:
            self.transport.write(message)
            if self._early:
                self._feed(self._early)
            await answered
        finally:
            timer.cancel()
            self._answered = None
        return self.reader

    def data_received(self, data: bytes) -> None:
        """Read on; nothing that comes unasked reaches anybody."""
        if self._answered is not None and not self._answered.done():
            self._feed(data)
        elif self.used:
            self.close()
        else:
            self._early += data
            if len(self._early) > _MAX_EARLY_BYTES:
                self.close()
            else:
                super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Take the end of the connection for the end of the answer, if it can be one."""
        super().connection_lost(exc)
        if self._answered is None or self._answered.done():
            return
        if exc is None:
            self._feed(b"")
        else:
            self._fail(exc if isinstance(exc, OSError) else ConnectionResetError(str(exc)))

    def _feed(self, data: bytes) -> None:
        try:
            self.reader.feed(data)
        except AnswerError as error:
            self._fail(error)
            return
        if self.reader.complete and self._answered is not None:
            self._answered.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)


class _Connector(aiohttp.TCPConnector):
    """Makes connections with our handler."""

    def __init__(self, tls: ssl.SSLContext | bool) -> None:  # noqa: FBT001
        super().__init__(ssl=tls, limit=0)  # pyright: ignore[reportUnknownMemberType] - theirs
        # mypy infers a partial of the subclass, which is not one of the class.
        self._factory = cast(
            "partial[ResponseHandler]", partial(_Handler, loop=asyncio.get_running_loop())
        )


class _Pool(NamedTuple):
    """The connections of one event loop."""

    connector: _Connector
    # What the connector wants to know of a request is the same for all of them.
    request: aiohttp.ClientRequest
    handlers: WeakSet[_Handler]


class AsyncTransport:
    """Sends requests to one endpoint. Each event loop has its own connections."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._proxy = proxy_for(config.endpoint)
        self._writer = RequestWriter(config.endpoint, self._proxy)
        self._holders: dict[asyncio.AbstractEventLoop, AsyncGenerator[_Pool, None]] = {}
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        self._closed = False

    async def exchange(self, send: Send) -> Response:
        """Send a request and read its answer.

        Raises:
            TransportError: There is no complete answer; the subclass says why.
        """
        if self._closed:
            raise exceptions.ConnectionFailedError(
                "The client is closed; make a new one.", retryable=False
            )
        pool = await self._pool()
        loop = asyncio.get_running_loop()
        end = loop.time() + send.total
        wire = send.request
        message = self._writer.write(wire.method, wire.target, wire.headers, wire.body)
        resent = False
        while True:
            connection = await self._connect(
                pool, min(end, loop.time() + send.connect), resent=resent
            )
            handler = cast("_Handler", connection.protocol)
            kept = handler.used
            try:
                reader = await handler.ask(message, min(end, loop.time() + send.read))
            except (AnswerError, OSError) as error:
                connection.close()
                # The server closed a kept connection: that costs no attempt.
                if kept and not handler.reader.started and not isinstance(error, TimeoutError):
                    resent = True
                    continue
                failure = unanswered(self._config.endpoint, error, handler.reader)
            except BaseException:
                connection.close()
                raise
            else:
                connection.release()
                reader.resent = resent
                return read_answer(reader)
            raise failure

    async def close(self) -> None:
        """Close the connections of this event loop, and let no new ones be made."""
        self._closed = True
        holder = self._holders.pop(asyncio.get_running_loop(), None)
        if holder is not None:
            await holder.aclose()

    async def _connect(self, pool: _Pool, until: float, *, resent: bool) -> Connection:
        try:
            async with asyncio.timeout_at(until):
                return await self._take(pool, fresh=resent)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._unreached(error, resent=resent)
        except asyncio.CancelledError:
            # A connector that is closed cancels its name lookups: nobody cancelled the call.
            if not pool.connector.closed or _is_cancelled():
                raise
            failure = self._unreached(OSError("the client was closed"), resent=resent)
        # aiohttp's errors hold its own request: they are no context of ours.
        raise failure

    async def _take(self, pool: _Pool, *, fresh: bool) -> Connection:
        """Take a kept connection with nothing unread on it, or make one.

        One kept connection is tried; when it turned out to be closed, none of the others is.
        """
        while True:
            connection = await pool.connector.connect(pool.request, [], _NO_TIMEOUT)
            handler = connection.protocol
            if not isinstance(handler, _Handler):
                connection.close()
                raise aiohttp.ClientConnectionError("the connection was closed at once")
            if not handler.used:
                connected = sum(each.is_connected() for each in pool.handlers)
                handler.surplus = connected >= self._config.max_connections
                pool.handlers.add(handler)
                return connection
            if not (fresh or _holds_more(connection)):
                return connection
            connection.close()

    async def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            self._forget_closed_loops()
            self._holders[loop] = holder = self._hold(loop)
            pool = await anext(holder)
        return pool

    def _forget_closed_loops(self) -> None:
        """Let go of loops that were closed without a word to their async generators."""
        # Loops of other threads come and go meanwhile.
        for loop in tuple(self._pools):
            if loop.is_closed():
                self._holders.pop(loop, None)
                self._pools.pop(loop, None)

    async def _hold(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[_Pool, None]:
        """Keep a pool open; an event loop closes all async generators when it ends."""
        endpoint, proxy = self._config.endpoint, self._proxy
        is_https = endpoint.scheme == "https"
        connector = _Connector(make_tls_context(self._config.ca_bundle) if is_https else True)
        request = aiohttp.ClientRequest(
            "POST",
            URL(endpoint.url, encoded=True),
            proxy=URL(proxy.url) if proxy else None,
            # aiohttp adds the Host later, and would not find its kept connections any more.
            proxy_headers={"Host": endpoint.host_header, **proxy.headers} if proxy else None,
            loop=loop,
        )
        self._pools[loop] = _Pool(connector, request, WeakSet())
        try:
            yield self._pools[loop]
        finally:
            self._holders.pop(loop, None)
            del self._pools[loop]
            await connector.close()

    def _unreached(self, error: Exception, *, resent: bool) -> exceptions.TransportError:
        """Say why there was no connection."""
        url, reason = self._config.endpoint.url, str(error) or type(error).__name__
        if resent:
            # As a rule nobody read the request on the kept connection, but that is not known.
            return exceptions.ConnectionLostError(
                f"{url} closed a kept connection and cannot be reached any more: {reason}."
            )
        if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
            return exceptions.TLSError(f"The TLS handshake with {url} failed: {reason}.")
        if isinstance(error, TimeoutError):
            return exceptions.ConnectTimeoutError(f"{url} was not reached in time.")
        if self._proxy and not isinstance(error, aiohttp.ClientConnectorError | ValueError):
            return exceptions.ProxyError(f"The proxy {self._proxy} refused: {reason}.")
        return exceptions.ConnectionFailedError(f"{url} cannot be reached: {reason}.")


def _is_cancelled() -> bool:
    """Tell whether somebody wants the running task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _holds_more(connection: Connection) -> bool:
    """Tell whether the peer has closed, or sent something that the loop has not seen yet."""
    transport = connection.transport
    return transport is None or is_readable(transport.get_extra_info("socket"))
