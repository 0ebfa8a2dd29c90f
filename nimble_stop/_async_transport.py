"""The async transport: aiohttp, kept to the rules of the sync one.

aiohttp hands a kept connection to the next request even if bytes that nobody asked for have
arrived on it behind the last answer, and gives up on a POST whose kept connection the server has
closed. The handler here counts the bytes, the connector refuses connections that hold more than
their answer, and the transport replaces those that were closed.
"""

from __future__ import annotations

import asyncio
import ssl
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from nimble_stop import exceptions
from nimble_stop._connection import is_readable
from nimble_stop._http import MAX_BODY_BYTES, AnswerError, collect_fields, decode_content
from nimble_stop._protocol import Response
from nimble_stop._proxy import proxy_for
from nimble_stop._tls import make_tls_context

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from aiohttp.client import ClientRequest, ClientTimeout
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from nimble_stop._config import Config
    from nimble_stop._engine import Send

_READ_BYTES: Final = 16 * 1024
_HEAD_END: Final = b"\r\n\r\n"
# aiohttp would add these on its own.
_NOT_ADDED: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
# Its timers are not used: they limit each read, and round up.
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=None, connect=None, sock_connect=None, sock_read=None
)


class _Handler(ResponseHandler):
    """Counts the bytes of an answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._beginning = b""
        self._received = 0
        self._expected = 0

    @property
    def answered(self) -> bool:
        """Whether any byte of the answer has come."""
        return self._received > 0

    @property
    def holds_more(self) -> bool:
        """Whether anything but one complete answer has come since `begin`."""
        return self._received != self._expected

    def begin(self) -> None:
        """Count for the next answer."""
        self._beginning, self._received, self._expected = b"", 0, -1

    def end(self, headers: Mapping[str, str]) -> None:
        """Take note that an answer is complete, and of what announced its length."""
        head = self._beginning.find(_HEAD_END)
        length = headers.get("content-length", "")
        # Without a length it could not be told where the answer ended.
        if head >= 0 and length.isascii() and length.isdigit():
            self._expected = head + len(_HEAD_END) + int(length)
        self._beginning = b""

    def data_received(self, data: bytes) -> None:
        """Count, and read on."""
        self._received += len(data)
        if _HEAD_END not in self._beginning:
            self._beginning += data
        super().data_received(data)


class _Progress:
    """How far an exchange has come, and the time it has left."""

    def __init__(self, send: Send, timeout: asyncio.Timeout) -> None:
        self._loop = asyncio.get_running_loop()
        self._send = send
        self._timeout = timeout
        self._end = self._loop.time() + send.total
        self.handler: _Handler | None = None
        self.resent = False
        self._reused = False

    @property
    def is_stale(self) -> bool:
        """Whether the connection had been used before, and gave no byte of an answer now."""
        return self.handler is not None and self._reused and not self.handler.answered

    def begin(self) -> None:
        """Begin to look for a connection."""
        self.handler = None
        self._limit(self._send.connect)

    def connect(self, handler: _Handler, *, reused: bool) -> None:
        """Go on with a connection."""
        self.handler, self._reused = handler, reused
        handler.begin()
        self._limit(self._send.read)

    def _limit(self, seconds: float) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(min(self._end, self._loop.time() + seconds))


# The exchange that this task is in.
_progress: ContextVar[_Progress] = ContextVar("_progress")


class _Connector(aiohttp.TCPConnector):
    """Gives out only connections that hold nothing unread, and keeps a limited number."""

    def __init__(self, tls: ssl.SSLContext | bool, max_kept: int) -> None:  # noqa: FBT001
        super().__init__(ssl=tls, limit=0)  # pyright: ignore[reportUnknownMemberType] - theirs
        # mypy infers a partial of the subclass, which is not one of the class.
        self._factory = cast(
            "partial[ResponseHandler]", partial(_Handler, loop=asyncio.get_running_loop())
        )
        self._max_kept = max_kept
        self._handlers: WeakSet[_Handler] = WeakSet()

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> Connection:
        """Take a kept connection, or make one."""
        progress = _progress.get()
        while True:
            connection = await super().connect(req, traces, timeout)
            handler = connection.protocol
            if not isinstance(handler, _Handler):
                connection.close()
                raise aiohttp.ClientConnectionError("the connection was closed at once")
            reused = handler in self._handlers
            # One kept connection is tried; when it turned out to be closed, none of the others is.
            if reused and (
                progress.resent
                or handler.should_close
                or handler.holds_more
                or _is_readable(connection)
            ):
                connection.close()
                continue
            if not reused:
                if sum(each.is_connected() for each in self._handlers) >= self._max_kept:
                    handler.force_close()
                self._handlers.add(handler)
            progress.connect(handler, reused=reused)
            return connection


def _is_readable(connection: Connection) -> bool:
    """Tell whether the peer has closed, or sent something that the loop has not seen yet."""
    transport = connection.transport
    return transport is None or is_readable(transport.get_extra_info("socket"))


class AsyncTransport:
    """Sends requests to one endpoint. Each event loop has its own connections."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._proxy = proxy_for(config.endpoint)
        self._sessions: dict[
            asyncio.AbstractEventLoop, AsyncGenerator[aiohttp.ClientSession, None]
        ] = {}
        self._open: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._closed = False

    async def exchange(self, send: Send) -> Response:
        """Send a request and read its answer.

        Raises:
            TransportError: There is no complete answer; the subclass says why.
        """
        if self._closed:
            raise exceptions.ConnectionFailedError("The client is closed.", retryable=False)
        session = await self._session()
        timeout = asyncio.timeout(None)
        progress = _Progress(send, timeout)
        _progress.set(progress)
        try:
            async with timeout:
                return await self._exchange(session, send, progress)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._translated(error, progress)
        # aiohttp's errors hold the request's headers: they are no context of ours.
        raise failure

    async def close(self) -> None:
        """Close the connections of this event loop, and let no new ones be made."""
        self._closed = True
        holder = self._sessions.pop(asyncio.get_running_loop(), None)
        if holder is not None:
            await holder.aclose()

    async def _exchange(
        self, session: aiohttp.ClientSession, send: Send, progress: _Progress
    ) -> Response:
        while True:
            progress.begin()
            try:
                return await self._exchange_once(session, send, progress)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError):
                # The server closed a kept connection: that costs no attempt.
                if not progress.is_stale:
                    raise
                progress.resent = True

    async def _exchange_once(
        self, session: aiohttp.ClientSession, send: Send, progress: _Progress
    ) -> Response:
        wire = send.request
        async with session.request(
            wire.method,
            URL(wire.url, encoded=True),
            data=wire.body or None,
            headers={**wire.headers, **self._proxy_headers},
            skip_auto_headers=_NOT_ADDED,
            allow_redirects=False,
            proxy=self._proxy.url if self._proxy else None,
            proxy_headers=self._proxy.headers if self._proxy else None,
            timeout=_NO_TIMEOUT,
        ) as reply:
            try:
                headers = _read_fields(reply)
                body = bytearray()
                while len(body) <= MAX_BODY_BYTES:
                    data = await reply.content.read(_READ_BYTES)
                    if not data:
                        break
                    body += data
                else:
                    # The rest stays unread, so the connection must not be used again.
                    reply.close()
            except AnswerError:
                reply.close()
                raise
            if progress.handler is not None:
                progress.handler.end(headers)
        truncated = len(body) > MAX_BODY_BYTES
        content, cut = decode_content(headers, bytes(body[:MAX_BODY_BYTES]))
        return Response(
            reply.status,
            headers,
            content,
            truncated=truncated or cut,
            resent=progress.resent,
        )

    @property
    def _proxy_headers(self) -> Mapping[str, str]:
        """What a request says to the proxy: through a tunnel, nothing."""
        if self._proxy is None or self._config.endpoint.scheme == "https":
            return {}
        return self._proxy.headers

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._open.get(loop)
        if session is None:
            self._sessions[loop] = holder = self._hold(loop)
            session = await anext(holder)
        return session

    async def _hold(
        self, loop: asyncio.AbstractEventLoop
    ) -> AsyncGenerator[aiohttp.ClientSession, None]:
        """Keep a session open; an event loop closes all async generators when it ends."""
        is_https = self._config.endpoint.scheme == "https"
        connector = _Connector(
            make_tls_context(self._config.ca_bundle) if is_https else True,
            self._config.max_connections,
        )
        self._open[loop] = session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        try:
            yield session
        finally:
            self._sessions.pop(loop, None)
            del self._open[loop]
            await session.close()

    def _translated(self, error: Exception, progress: _Progress) -> exceptions.TransportError:
        """Say in our terms what aiohttp said in its own."""
        url, reason = self._config.endpoint.url, str(error) or type(error).__name__
        if progress.handler is None:
            return self._unreached(error, reason, resent=progress.resent)
        if isinstance(error, TimeoutError):
            return exceptions.ReadTimeoutError(f"{url} did not answer in time.")
        return exceptions.ConnectionLostError(f"The answer of {url} cannot be read: {reason}.")

    def _unreached(
        self, error: Exception, reason: str, *, resent: bool
    ) -> exceptions.TransportError:
        """Say why there was no connection."""
        url = self._config.endpoint.url
        if resent:
            # As a rule nobody read the request on the kept connection, but that is not known.
            return exceptions.ConnectionLostError(
                f"{url} closed a kept connection and cannot be reached any more: {reason}."
            )
        if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
            return exceptions.TLSError(f"The TLS handshake with {url} failed: {reason}.")
        if isinstance(error, TimeoutError):
            return exceptions.ConnectTimeoutError(f"{url} was not reached in time.")
        if self._proxy and not isinstance(error, OSError):
            return exceptions.ProxyError(f"The proxy {self._proxy} refused: {reason}.")
        return exceptions.ConnectionFailedError(f"{url} cannot be reached: {reason}.")


def _read_fields(reply: aiohttp.ClientResponse) -> dict[str, str]:
    """Read an answer's header fields as the sync transport does.

    Raises:
        AnswerError: They do not tell where the answer ends.
    """
    fields = collect_fields(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in reply.raw_headers
    )
    coding = fields.get("transfer-encoding")
    if coding is not None and (coding.lower() != "chunked" or "content-length" in fields):
        raise AnswerError("its framing is ambiguous")
    return fields
