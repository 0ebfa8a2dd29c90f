"""The async transport: one aiohttp ``ClientSession`` for each event loop, made on first use.

What fails before there is a connection is an error of ours from there on; the rest was sent.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakKeyDictionary

import aiohttp
from urllib3.util import wait_for_read
from yarl import URL

from nimble_stop import exceptions
from nimble_stop._api.response import MAX_BODY_BYTES, Response, read_answer
from nimble_stop._config.network import proxy_for, tls_context
from nimble_stop._transport.shared import MAX_IDLE_SECONDS, closed_error, translated

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator

    from nimble_stop._auth.signer import WireRequest
    from nimble_stop._call.steps import Send
    from nimble_stop._config.config import Config

_UNREACHED: Final = (
    (aiohttp.ClientSSLError, exceptions.TLSError),
    ((aiohttp.ClientConnectorError, ValueError), exceptions.ConnectionFailedError),
    (aiohttp.ConnectionTimeoutError, exceptions.ConnectTimeoutError),
    (aiohttp.ClientHttpProxyError, exceptions.ProxyError),
)
_OPTIONS: Final[dict[str, Any]] = {
    "auto_decompress": False,
    "skip_auto_headers": ("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    # The one time limit is ours; aiohttp would round it up.
    "timeout": aiohttp.ClientTimeout(),
}
_exchange: ContextVar[SimpleNamespace] = ContextVar("_exchange")


class _Connector(aiohttp.TCPConnector):
    def __init__(self, config: Config, context: ssl.SSLContext | None) -> None:
        options: dict[str, Any] = {"keepalive_timeout": MAX_IDLE_SECONDS, "ssl": context or True}
        super().__init__(limit=0, **options)  # pyright: ignore[reportUnknownMemberType] - theirs
        self._what = f"{config.endpoint.url} cannot be reached"
        # The last exchange on each connection.
        self.last: WeakKeyDictionary[asyncio.Transport, SimpleNamespace] = WeakKeyDictionary()

    async def connect(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as overridden
        exchange, task = _exchange.get(), cast("asyncio.Task[Any]", asyncio.current_task())
        try:
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
                raise ValueError("the connection was closed at once")  # noqa: TRY301 - see below
        except (aiohttp.ClientError, OSError, ValueError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and (not self.closed or task.cancelling()):
                raise
            # Closing cancels name lookups, although nobody has cancelled the call.
            failure = closed_error() if self.closed else None
            # Who has connected, and has no connection, has a proxy.
            proxy = (Exception, exceptions.ProxyError)
            raise failure or translated(error, self._what, *_UNREACHED, proxy) from None
        exchange.transport = connection.transport
        self.last[connection.transport] = exchange
        now = asyncio.get_running_loop().time()
        exchange.limit.reschedule(min(exchange.end, now + exchange.read))
        return connection

    def drop_idle(self, most: int = 0) -> None:
        idle = [each for each, last in self.last.items() if last.is_done and not each.is_closing()]
        for transport in idle[most:]:
            transport.abort()


class AsyncTransport:
    """Sends requests to one endpoint. Each event loop has its own session and connections."""

    def __init__(self, config: Config) -> None:
        self._config, self._proxy = config, proxy_for(config.endpoint)
        self._tls: Any = None
        if config.endpoint.scheme == "https" or (self._proxy and self._proxy.is_tls):
            # It reads files, for which no event loop has time.
            self._tls = ThreadPoolExecutor(1).submit(tls_context, config.ca_bundle)
        self._closed = False
        # For each event loop its session, its connector and what closes them when the loop ends.
        self._open: dict[Any, tuple[aiohttp.ClientSession, _Connector, Any]] = {}

    async def exchange(self, send: Send) -> Response:
        """Send a request and read its answer, or raise the TransportError that says why not."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        limit = asyncio.timeout_at(now + min(send.connect, send.total))
        exchange = SimpleNamespace(limit=limit, end=now + send.total, read=send.read)
        exchange.transport, exchange.is_done = None, False
        _exchange.set(exchange)
        try:
            async with limit:
                return await self._send(send.request, exchange)
        except (aiohttp.ClientError, OSError) as error:
            what = f"{self._config.endpoint.url} gave no complete answer"
            cause = None
            if exchange.transport is not None:
                failure = translated(error, what)
            elif limit.expired():
                failure = exceptions.ConnectTimeoutError(f"{what}: it was not reached in time.")
            else:
                failure, cause = translated(error, what, *_UNREACHED), error
            if isinstance(failure, exceptions.ReadTimeoutError) and loop in self._open:
                # What made one connection silent may have silenced the others.
                self._open[loop][1].drop_idle()
            raise failure from cause
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
            connector.drop_idle(self._config.max_connections)
        return answer

    async def _session(self) -> tuple[aiohttp.ClientSession, _Connector, object]:
        if self._closed:
            raise closed_error()
        if self._proxy and self._proxy.is_socks:
            message = f"aiohttp does not speak SOCKS to {self._proxy.url}; NimbleClient does."
            raise exceptions.ConfigurationError(message)
        loop = asyncio.get_running_loop()
        if loop not in self._open:
            context = self._tls and await asyncio.wrap_future(self._tls)
            if loop not in self._open:
                connector = _Connector(self._config, context)
                jar = aiohttp.DummyCookieJar()
                session = aiohttp.ClientSession(connector=connector, cookie_jar=jar, **_OPTIONS)
                self._open[loop] = session, connector, self._hold(loop)
                await anext(self._open[loop][2])
        return self._open[loop]

    async def _hold(self, loop: object) -> AsyncGenerator[None, None]:
        """Keep a session open; an event loop that ends closes its async generators first."""
        try:
            yield
        finally:
            session, connector, _ = self._open.pop(loop)
            # A TLS peer may take its time to close.
            connector.drop_idle()
            await session.close()
