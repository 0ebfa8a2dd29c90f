"""The async transport: aiohttp, kept to the rules of the sync one.

aiohttp hands a kept connection to the next request even if bytes that nobody asked for have
arrived on it in between, and gives up on a POST whose kept connection the server has closed. The
connector here refuses such connections, and the transport replaces them.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary, WeakSet

import aiohttp
from yarl import URL

from nimble_stop import exceptions
from nimble_stop._http import MAX_BODY_BYTES, collect_fields, decode_content
from nimble_stop._protocol import Response
from nimble_stop._proxy import proxy_for
from nimble_stop._tls import make_tls_context

if TYPE_CHECKING:
    import ssl

    from aiohttp.client import ClientRequest, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from nimble_stop._config import Config
    from nimble_stop._engine import Send

_READ_BYTES: Final = 16 * 1024
# aiohttp would add these on its own.
_NOT_ADDED: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
# Whether the connection that this task's request got had been used before.
_reused: ContextVar[bool] = ContextVar("_reused", default=False)


class _Connector(aiohttp.TCPConnector):
    """Gives out only connections that hold nothing unread, and keeps a limited number."""

    def __init__(self, tls: ssl.SSLContext | bool, max_kept: int) -> None:  # noqa: FBT001
        super().__init__(ssl=tls, limit=0)  # pyright: ignore[reportUnknownMemberType] - theirs
        self._max_kept = max_kept
        self._known: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> Connection:
        """Take a kept connection, or make one."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None:
                return connection
            reused = protocol in self._known
            if reused and protocol.should_close:
                connection.close()
                continue
            if not reused and len(self._known) >= self._max_kept:
                protocol.force_close()
            self._known.add(protocol)
            _reused.set(reused)
            return connection


class AsyncTransport:
    """Sends requests to one endpoint. Each event loop has its own connections."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._proxy = proxy_for(config.endpoint)
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = (
            WeakKeyDictionary()
        )
        self._closed = False

    async def exchange(self, send: Send) -> Response:
        """Send a request and read its answer.

        Raises:
            TransportError: There is no complete answer; the subclass says why.
        """
        if self._closed:
            raise exceptions.ConnectionFailedError("The client is closed.", retryable=False)
        session = self._session()
        closed_on_us = False
        try:
            # aiohttp limits each read; this limits all of them together.
            async with asyncio.timeout(min(send.total, send.connect + send.read)):
                while True:
                    _reused.set(False)
                    try:
                        return await self._exchange_once(session, send)
                    except (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError):
                        # The server closed a kept connection: that costs no attempt.
                        if not _reused.get():
                            raise
                        closed_on_us = True
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _translated(error, self._config.endpoint.url)
            if closed_on_us and not failure.request_sent:
                # Whether the server had read the request, nobody knows: it counts as sent.
                raise exceptions.ConnectionLostError(failure.message) from None
            raise failure from None

    async def close(self) -> None:
        """Close the connections of this event loop, and let no new ones be made."""
        self._closed = True
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    async def _exchange_once(self, session: aiohttp.ClientSession, send: Send) -> Response:
        wire = send.request
        proxy = self._proxy
        async with session.request(
            wire.method,
            URL(wire.url, encoded=True),
            data=wire.body or None,
            headers=wire.headers,
            skip_auto_headers=_NOT_ADDED,
            allow_redirects=False,
            proxy=proxy.url if proxy else None,
            proxy_headers=proxy.headers if proxy else None,
            timeout=aiohttp.ClientTimeout(
                total=None, connect=send.connect, sock_connect=send.connect, sock_read=send.read
            ),
        ) as reply:
            body = bytearray()
            while len(body) <= MAX_BODY_BYTES:
                data = await reply.content.read(_READ_BYTES)
                if not data:
                    break
                body += data
            else:
                # The rest stays unread, so the connection must not be used again.
                reply.close()
            headers = collect_fields(reply.headers.items())
        truncated = len(body) > MAX_BODY_BYTES
        content, cut = decode_content(headers, bytes(body[:MAX_BODY_BYTES]))
        return Response(reply.status, headers, content, truncated=truncated or cut)

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            is_https = self._config.endpoint.scheme == "https"
            connector = _Connector(
                make_tls_context(self._config.ca_bundle) if is_https else True,
                self._config.max_connections,
            )
            session = self._sessions[loop] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return session


def _translated(error: Exception, url: str) -> exceptions.TransportError:
    """Say in our terms what aiohttp said in its own."""
    for theirs, ours, what in _ERRORS:
        if isinstance(error, theirs):
            return ours(f"{url} {what}: {str(error) or type(error).__name__}.")
    return exceptions.ConnectionLostError(f"The answer of {url} cannot be read: {error}.")


# The first that fits counts, so the narrow ones come first.
_ERRORS: Final[tuple[tuple[type[Exception], type[exceptions.TransportError], str], ...]] = (
    (aiohttp.ConnectionTimeoutError, exceptions.ConnectTimeoutError, "was not reached in time"),
    (aiohttp.ClientConnectorCertificateError, exceptions.TLSError, "failed the TLS handshake"),
    (aiohttp.ClientSSLError, exceptions.TLSError, "failed the TLS handshake"),
    (aiohttp.ClientProxyConnectionError, exceptions.ProxyError, "cannot be reached by the proxy"),
    (aiohttp.ClientHttpProxyError, exceptions.ProxyError, "was refused by the proxy"),
    (aiohttp.ClientConnectorError, exceptions.ConnectionFailedError, "cannot be reached"),
    (TimeoutError, exceptions.ReadTimeoutError, "did not answer in time"),
)
