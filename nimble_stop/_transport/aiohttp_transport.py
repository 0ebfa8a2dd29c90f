"""The async transport: one aiohttp ``ClientSession`` for each event loop, made on first use."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from urllib3.util import wait_for_read
from yarl import URL

from nimble_stop import exceptions
from nimble_stop._api.response import MAX_BODY_BYTES, Response, read_answer
from nimble_stop._config.network import proxy_for, tls_context
from nimble_stop._transport.shared import MAX_IDLE_SECONDS, closed_error, translated

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from nimble_stop._auth.signer import WireRequest
    from nimble_stop._call.steps import Send
    from nimble_stop._config.config import Config

_CONNECTING: Final = (
    (aiohttp.ClientSSLError, exceptions.TLSError),
    (aiohttp.ConnectionTimeoutError, exceptions.ConnectTimeoutError),
    (aiohttp.ClientHttpProxyError, exceptions.ProxyError),
    ((aiohttp.ClientConnectorError, ValueError), exceptions.ConnectionFailedError),
    (TimeoutError, exceptions.ConnectTimeoutError),
    # Who has connected, and has no connection, has a proxy.
    (Exception, exceptions.ProxyError),
)
_UNREACHED: Final = _CONNECTING[:4]
_LATE: Final = (TimeoutError, exceptions.ReadTimeoutError)
_OPTIONS: Final[dict[str, Any]] = {
    "auto_decompress": False,
    "skip_auto_headers": ("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    "timeout": aiohttp.ClientTimeout(),
}
_exchange: ContextVar[SimpleNamespace] = ContextVar("_exchange")


class _Connector(aiohttp.TCPConnector):
    # The last exchange on each connection.
    last: dict[asyncio.Transport, SimpleNamespace]

    async def connect(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as overridden
        exchange = _exchange.get()
        # aiohttp sends a GET again whose connection was lost.
        exchange.unsent = exchange.unsent and _CONNECTING
        connection: Any = await super().connect(*args, **kwargs)
        while connection.transport in self.last and (
            connection.protocol.should_close
            or wait_for_read(connection.transport.get_extra_info("socket"), timeout=0)
        ):
            # Something unasked has come on it, or its end.
            connection.close()
            connection = await super().connect(*args, **kwargs)
        if connection.transport is None:
            connection.close()
            raise ValueError("the connection was closed at once")
        exchange.transport, exchange.unsent = connection.transport, ()
        self.last[connection.transport] = exchange
        exchange.end = min(exchange.end, exchange.now() + exchange.read)
        exchange.limit.reschedule(exchange.end)
        return connection

    def close_idle(self, most: int = 0) -> None:
        self.last = {each: last for each, last in self.last.items() if not each.is_closing()}
        for transport in [each for each, last in self.last.items() if last.is_done][most:]:
            transport.abort()


class AsyncTransport:
    """Sends requests to one endpoint. Each event loop has its own session and connections."""

    def __init__(self, config: Config) -> None:
        self._config, self._proxy, self._closed = config, proxy_for(config.endpoint), False
        # For each event loop its session, its connector and what closes them when the loop ends.
        self._tls: dict[Any, asyncio.Future[Any]] = {}
        self._open: dict[Any, tuple[aiohttp.ClientSession, _Connector, Any]] = {}

    async def exchange(self, send: Send) -> Response:
        loop = asyncio.get_running_loop()
        exchange = SimpleNamespace(now=loop.time, end=loop.time() + send.total, read=send.read)
        exchange.limit = asyncio.timeout_at(min(exchange.end, loop.time() + send.connect))
        exchange.transport, exchange.is_done, exchange.unsent = None, False, _CONNECTING
        _exchange.set(exchange)
        try:
            async with exchange.limit:
                return await self._send(send.request, exchange)
        except (aiohttp.ClientError, OSError, ValueError, asyncio.CancelledError) as error:
            task: Any = asyncio.current_task()
            if self._closed and exchange.unsent is _CONNECTING and not task.cancelling():
                # Closing cancels name lookups, although nobody has cancelled the call.
                raise closed_error() from None
            foreign = () if exchange.unsent is _CONNECTING else ValueError
            if isinstance(error, (asyncio.CancelledError, foreign)):
                raise
            failure = translated(error, self._config.endpoint.url, *exchange.unsent, _LATE)
            if isinstance(failure, exceptions.ReadTimeoutError) and loop in self._open:
                self._open[loop][1].close_idle()
            raise failure from (error if exchange.unsent is _UNREACHED else None)
        finally:
            if exchange.transport is not None and not exchange.is_done:
                exchange.transport.abort()

    async def close(self) -> None:
        """Close the connections of this event loop, and let no new ones be made."""
        self._closed = True
        if ours := self._open.get(asyncio.get_running_loop()):
            await ours[2].aclose()

    async def _send(self, wire: WireRequest, exchange: SimpleNamespace) -> Response:
        session, connector, _ = await self._session()
        exchange.unsent = _UNREACHED
        options: Any = {"headers": wire.headers, "data": wire.body or None}
        if self._proxy:
            options |= {"proxy": self._proxy.url, "proxy_headers": self._proxy.headers}
            if wire.url.startswith("http:"):
                options["headers"] = {**wire.headers, **self._proxy.headers}
        url = URL(wire.url, encoded=True)
        reply = await session.request(wire.method, url, allow_redirects=False, **options)
        try:
            body = b""
            while piece := await reply.content.read(MAX_BODY_BYTES + 1 - len(body)):
                body += piece
            # An observer may have read it before.
            body = body or await reply.read()
        finally:
            reply.close()
        fields = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in reply.raw_headers]
        answer = read_answer(reply.status, fields, body)
        has_end = {"content-length", "transfer-encoding"} & answer.headers.keys()
        if exchange.transport is not None and not (body or has_end or reply.status in {204, 304}):
            raise exceptions.ConnectionLostError("The connection was closed before the body.")
        exchange.is_done = len(body) <= MAX_BODY_BYTES
        if len(connector.last) > self._config.max_connections:
            connector.close_idle(self._config.max_connections)
        return answer

    async def _session(self) -> tuple[aiohttp.ClientSession, _Connector, object]:
        if self._closed:
            raise closed_error()
        if self._proxy and self._proxy.is_socks:
            message = f"aiohttp does not speak SOCKS to {self._proxy.url}; NimbleClient does."
            raise exceptions.ConfigurationError(message)
        loop = asyncio.get_running_loop()
        if loop not in self._tls:
            self._tls[loop] = loop.run_in_executor(None, tls_context, self._config, self._proxy)
        tls = await asyncio.shield(self._tls[loop])
        if loop not in self._open:
            holder = self._hold(loop, tls)
            self._open[loop] = *(await anext(holder)), holder
        return self._open[loop]

    async def _hold(self, loop: object, tls: Any) -> AsyncGenerator[Any, None]:  # noqa: ANN401 - aiohttp's types
        """Hold a session open; an event loop that ends closes its async generators first."""
        connector = _Connector(limit=0, keepalive_timeout=MAX_IDLE_SECONDS, ssl=tls or True)
        connector.last, jar = {}, aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, **_OPTIONS) as ours:
            try:
                yield ours, connector
            finally:
                del self._open[loop], self._tls[loop]
                # A TLS peer may take its time to close.
                connector.close_idle()
