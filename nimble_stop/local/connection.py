"""One connection: how long and how much it may take before a request is there, and how answers go.

This module owns the limits that keep strangers from holding the server up, and the one place where
an answer meets a socket, whole or in the way that a fault wants it. It is the only code that knows
aiohttp's response classes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import uuid
from typing import TYPE_CHECKING, Final

from aiohttp import web

from nimble_stop.local.faults import (
    ResetAfterChange,
    ResetBeforeChange,
    TrickledBody,
    TruncatedBody,
)
from nimble_stop.local.refusals import Refusal, error_body

if TYPE_CHECKING:
    from nimble_stop.local.exchange import Answer

__all__ = ["Connection", "deliver", "read_request_body"]

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
# An abortive close: the peer sees the connection reset (SO_LINGER on, for 0 seconds).
_RESET: Final = struct.pack("ii", 1, 0)


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
        """Answer what is no HTTP as AWS would; the connection is closed afterwards."""
        del request, exc, message
        code = "MalformedHttpRequestException" if status < 500 else "InternalServerErrorException"  # noqa: PLR2004  # HTTP's border between the faults
        response = web.Response(
            status=status,
            body=error_body(code, "The request is not well-formed HTTP.", {}),
            content_type="application/json",
            headers={
                "Server": "nimble-stop",
                "x-amzn-ErrorType": code,
                "x-amzn-RequestId": str(uuid.uuid4()),
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
    except web.RequestPayloadError:
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


async def deliver(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send an answer, whole or in the way that its fault wants it.

    Returns:
        The response for aiohttp to complete.
    """
    delivery = answer.delivery
    if delivery is None:
        response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        if answer.error_code in _UNREAD:
            response.force_close()
        return response
    if isinstance(delivery, ResetAfterChange | ResetBeforeChange):
        return _reset(request)
    pieces = web.StreamResponse(status=answer.status, headers=answer.headers)
    pieces.content_length = len(answer.body)
    await pieces.prepare(request)
    if isinstance(delivery, TruncatedBody):
        await _truncate(request, pieces, answer.body, delivery)
    else:
        await _trickle(pieces, answer.body, delivery)
    return pieces


# After these the rest of the request is still on its way.
_UNREAD: Final = frozenset(
    {
        "MalformedHttpRequestException",
        "RequestEntityTooLargeException",
        "RequestTimeoutException",
    }
)


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response()


async def _truncate(
    request: web.BaseRequest, response: web.StreamResponse, body: bytes, fault: TruncatedBody
) -> None:
    keep = len(body) // 2 if fault.keep_bytes is None else min(fault.keep_bytes, len(body) - 1)
    await response.write(body[: max(keep, 0)])
    # It sends what was written, and then the end.
    request.protocol.force_close()


async def _trickle(response: web.StreamResponse, body: bytes, fault: TrickledBody) -> None:
    await response.write(b"")
    for start in range(0, len(body), fault.piece_bytes):
        await asyncio.sleep(fault.seconds_between)
        await response.write(body[start : start + fault.piece_bytes])
