"""The async transport: one aiohttp ``ClientSession`` for each event loop, made on first use.

Whoever watches aiohttp sees each attempt as an ordinary request. What fails before there is a
connection is raised as an error of ours, through aiohttp; whatever else fails was sent.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import aiohttp
import attrs
from urllib3.util import wait_for_read
from yarl import URL

from nimble_stop import exceptions
from nimble_stop._api.response import MAX_BODY_BYTES, Response, read_answer
from nimble_stop._config.proxy import proxy_for
from nimble_stop._transport.shared import (
    MAX_IDLE_SECONDS,
    Kinds,
    closed_error,
    tls_context,
    translated,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator

    from aiohttp.connector import Connection

    from nimble_stop._auth.signer import WireRequest
    from nimble_stop._call.steps import Send
    from nimble_stop._config.config import Config

_UNREACHED: Final[Kinds] = (
    (aiohttp.ClientSSLError, exceptions.TLSError),
    ((aiohttp.ClientConnectorError, ValueError), exceptions.ConnectionFailedError),
    # A connection was there, and is none to the service: the proxy opened no tunnel.
    (Exception, exceptions.ProxyError),
)
_SENT: Final[Kinds] = (
    (TimeoutError, exceptions.ReadTimeoutError),
    (Exception, exceptions.ConnectionLostError),
)
_INTERCEPTED: Final[Kinds] = (
    *_UNREACHED[:-1],
    (aiohttp.ClientHttpProxyError, exceptions.ProxyError),
    *_SENT,
)


# What says where an answer ends, if not the connection; 204 and 304 have no body to end.
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_PLAIN: Final[dict[str, Any]] = {
    "auto_decompress": False,
    "skip_auto_headers": ("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    # There is one time limit, which is ours; aiohttp would round it up.
    "timeout": aiohttp.ClientTimeout(),
}


@attrs.define(eq=False)
class _Exchange:
    limit: asyncio.Timeout
    end: float
    read: float
    transport: asyncio.Transport | None = None
    is_done: bool = False


_exchange: ContextVar[_Exchange] = ContextVar("_exchange")


class _Connector(aiohttp.TCPConnector):
    def __init__(self, config: Config, context: ssl.SSLContext | None) -> None:
        super().__init__(limit=0, keepalive_timeout=MAX_IDLE_SECONDS, ssl=context or True)
        self._what = f"{config.endpoint.url} cannot be reached"
        # The last exchange on each connection.
        self.last: WeakKeyDictionary[asyncio.Transport, _Exchange] = WeakKeyDictionary()

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:  # noqa: ANN401 - as overridden
        exchange, task = _exchange.get(), asyncio.current_task()
        try:
            connection = await super().connect(*args, **kwargs)
            while self._is_stale(connection):
                connection.close()
                connection = await super().connect(*args, **kwargs)
        except (aiohttp.ClientError, OSError, ValueError, asyncio.CancelledError) as error:
            # Closing cancels name lookups, although nobody has cancelled the call.
            if isinstance(error, asyncio.CancelledError) and (
                not self.closed or (task and task.cancelling())
            ):
                raise
            failure = closed_error() if self.closed else translated(error, _UNREACHED, self._what)
            raise failure from None
        if connection.transport is not None:
            self.last[connection.transport] = exchange
        exchange.transport = connection.transport
        read_end = asyncio.get_running_loop().time() + exchange.read
        exchange.limit.reschedule(min(exchange.end, read_end))
        return connection

    def _is_stale(self, connection: Connection) -> bool:
        transport, protocol = connection.transport, connection.protocol
        if transport is None or protocol is None or transport not in self.last:
            return False
        sock = transport.get_extra_info("socket")
        return protocol.should_close or wait_for_read(sock, timeout=0)

    def drop_idle(self, most: int = 0) -> None:
        idle = [each for each, last in self.last.items() if last.is_done and not each.is_closing()]
        for transport in idle[most:]:
            transport.abort()


class AsyncTransport:
    """Sends requests to one endpoint. Each event loop has its own session and connections."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._proxy = proxy_for(config.endpoint)
        self._context: ssl.SSLContext | None = None
        self._closed = False
        # An event loop that ends closes its async generators first, and so these the sessions.
        self._open: dict[
            asyncio.AbstractEventLoop,
            tuple[aiohttp.ClientSession, _Connector, AsyncGenerator[None, None]],
        ] = {}
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    async def exchange(self, send: Send) -> Response:
        """Send a request and read its answer, or raise the TransportError that says why not."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        kinds: Kinds = _SENT
        cause: Exception | None = None
        limit = asyncio.timeout_at(now + min(send.connect, send.total))
        exchange = _Exchange(limit, now + send.total, send.read)
        _exchange.set(exchange)
        try:
            async with limit:
                return await self._send(send.request, exchange)
        except exceptions.NimbleStopError as error:
            failure = error
        except (aiohttp.ClientError, OSError) as error:
            if exchange.transport is not None:
                pass
            elif limit.expired():
                kinds = ((Exception, exceptions.ConnectTimeoutError),)
            else:
                kinds, cause = _INTERCEPTED, error
            what = f"{self._config.endpoint.url} gave no complete answer"
            failure = translated(error, kinds, what)
        except BaseException as other:  # noqa: BLE001 - it is raised again, without its frames
            # The frames below hold the request's headers.
            raise other.with_traceback(None) from None
        finally:
            if exchange.transport is not None and not exchange.is_done:
                exchange.transport.abort()
        if isinstance(failure, exceptions.ReadTimeoutError) and loop in self._open:
            # What made one connection silent may have silenced the others.
            self._open[loop][1].drop_idle()
        failure.__context__ = None
        raise failure.with_traceback(None) from cause

    async def close(self) -> None:
        """Close the connections of this event loop, and let no new ones be made."""
        self._closed = True
        if ours := self._open.get(asyncio.get_running_loop()):
            await ours[2].aclose()

    async def _send(self, wire: WireRequest, exchange: _Exchange) -> Response:
        session, connector, _ = await self._session()
        headers: dict[str, str] = wire.headers
        options: dict[str, Any] = {}
        if self._proxy:
            options = {"proxy": self._proxy.url, "proxy_headers": self._proxy.headers}
            if wire.url.startswith("http:"):
                headers = {**headers, **self._proxy.headers}
        reply = await session.request(
            wire.method,
            URL(wire.url, encoded=True),
            data=wire.body or None,
            headers=headers,
            allow_redirects=False,
            **options,
        )
        try:
            body = b""
            while piece := await reply.content.read(MAX_BODY_BYTES + 1 - len(body)):
                body += piece
            # An observer may have read it before.
            body = body or await reply.read()
        finally:
            reply.close()
        fields = (
            (name.decode("latin-1"), text.decode("latin-1")) for name, text in reply.raw_headers
        )
        answer = read_answer(reply.status, fields, body)
        if exchange.transport is not None and not (body or _FRAMING & answer.headers.keys()):
            raise exceptions.ConnectionLostError("The connection was closed before the body.")
        exchange.is_done = len(body) <= MAX_BODY_BYTES
        connector.drop_idle(self._config.max_connections)
        return answer

    async def _session(self) -> tuple[aiohttp.ClientSession, _Connector, object]:
        loop, proxy = asyncio.get_running_loop(), self._proxy
        if self._closed:
            raise closed_error()
        if loop not in self._open:
            async with self._locks.setdefault(loop, asyncio.Lock()):
                is_tls = self._config.endpoint.scheme == "https" or (proxy and proxy.is_tls)
                if is_tls and self._context is None:
                    # It reads a file.
                    self._context = await asyncio.to_thread(tls_context, self._config.ca_bundle)
                if loop not in self._open:
                    for old in [each for each in tuple(self._open) if each.is_closed()]:
                        await self._open.pop(old)[0].close()
                    connector = _Connector(self._config, self._context)
                    jar = aiohttp.DummyCookieJar()
                    session = aiohttp.ClientSession(connector=connector, cookie_jar=jar, **_PLAIN)
                    self._open[loop] = session, connector, self._hold(loop)
                    await anext(self._open[loop][2])
        return self._open[loop]

    async def _hold(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            session, connector, _ = self._open.pop(loop)
            for transport in tuple(connector.last):
                # A TLS peer may take its time to close.
                transport.abort()
            await session.close()
