"""One connection, until a request is there.

This module owns the limits that keep strangers from holding the server up: how long a request may
take to arrive, and how much of it there may be. What is no request is answered here too.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from nimble_stop.local.api.exchange import SERVER, refused
from nimble_stop.local.api.refusals import Refusal

__all__ = ["Connection", "read_request_body"]

_logger: Final = logging.getLogger("nimble_stop.local")

REQUEST_SECONDS: Final = 10.0
"""How long a request may take to arrive: its head, and then its body."""

IDLE_SECONDS: Final = 75.0
"""How long a connection is kept open for the next request."""

BODY_BYTES: Final = 1024 * 1024
"""How large a request's body may be."""

LINE_BYTES: Final = 64 * 1024
"""How long a request's target may be: two ids of 1,500 characters, each encoded in 12 bytes."""

FIELD_BYTES: Final = 16 * 1024
"""How long one header may be; session tokens are the longest."""

_HEAD_BYTES: Final = 512 * 1024
_LINGERING_SECONDS: Final = 2.0


class Connection(web.RequestHandler):
    """A connection that is closed when no whole request arrives in time.

    Args:
        manager: aiohttp's part that knows all connections.
        loop: The event loop that it runs in.
    """

    def __init__(self, manager: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=IDLE_SECONDS,
            access_log=None,  # type: ignore[arg-type]  # documented: None logs nothing
            max_line_size=LINE_BYTES,
            max_field_size=FIELD_BYTES,
            lingering_time=_LINGERING_SECONDS,
            # A signature covers the bytes that were sent, so they must stay as they are.
            auto_decompress=False,
        )
        self._event_loop = loop
        self._patience: asyncio.TimerHandle | None = None
        self._has_request = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take in more of a request's head; a body is not bounded here."""
        if not self._has_request:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self.force_close()
                return
            if self._patience is None:
                self._wait()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def request_begins(self) -> None:
        """Note that a request's head is there."""
        self._stop_waiting()
        self._has_request = True

    def request_ends(self) -> None:
        """Note that a request was answered; the next one may take its time to begin."""
        self._has_request = False
        self._head_bytes = 0

    def _wait(self) -> None:
        self._patience = self._event_loop.call_later(REQUEST_SECONDS, self.force_close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or what the endpoint fails at, as AWS would; then close."""
        del request, message
        if isinstance(exc, ConnectionError):
            # The client has gone; aiohttp lets go of the connection.
            raise exc
        refusal = Refusal("MalformedHttpRequestException", "The request is not well-formed HTTP.")
        if status != refusal.status:
            _logger.error("a request was not answered", exc_info=exc)
            refusal = Refusal("InternalServerErrorException", "The endpoint failed.")
        answer = refused(refusal)
        response = web.Response(
            status=answer.status,
            body=answer.body,
            headers={
                "Server": SERVER,
                "x-amzn-RequestId": str(uuid.uuid4()),
                **answer.headers,
            },
        )
        response.force_close()
        return response


async def read_request_body(request: web.BaseRequest) -> bytes:
    """Read a request's whole body.

    Raises:
        Refusal: It is too large, or too slow. The connection is of no more use.
        ConnectionError: The client went away.
    """
    if request.content_length is not None and request.content_length > BODY_BYTES:
        raise _too_large()
    if "Expect" in request.headers and request.transport is not None:
        # The only expectation that there is (RFC 9110, 10.1.1).
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        if request.content.is_eof():
            # It came with its head, as it mostly does.
            return await _read(request)
        async with asyncio.timeout(REQUEST_SECONDS):
            return await _read(request)
    except TimeoutError:
        raise Refusal("RequestTimeoutException", "The request's body did not arrive.") from None
    except (web.RequestPayloadError, HttpProcessingError):
        # aiohttp's C parser reports the first, its Python parser either.
        raise Refusal("MalformedHttpRequestException", "The body is not well-formed.") from None


async def _read(request: web.BaseRequest) -> bytes:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> Refusal:
    return Refusal("RequestEntityTooLargeException", f"The body is larger than {BODY_BYTES} bytes.")
