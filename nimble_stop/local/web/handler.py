"""The request handler: where a request goes, how its body is read and how its answer is sent.

A target under ``/_nimble-stop/`` belongs to the admin API, every other one to the service. The
prefix is compared as it was sent: a target that only decodes to it, or that reaches it through dot
segments, is the service's, which refuses it. So neither can be taken for the other.

A body is read whole, in bounded time and up to a bounded size. An answer goes out whole, or in the
way that a fault wants it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import uuid
from typing import TYPE_CHECKING, Final

import attrs
from aiohttp import web
from aiohttp.http import HttpProcessingError

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.api.answer import Answer, Refusal, refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nimble_stop.local.service import Service

BODY_BYTES: Final = 1024 * 1024
"""How large a body may be, in bytes, unless the reader allows more."""

BODY_SECONDS: Final = 10.0
"""How long a body may take to arrive after its head, in seconds."""

_logger: Final = logging.getLogger("nimble_stop.local")
_ADMIN_PREFIX: Final = f"{PREFIX}/".encode()
# An abortive close: the peer sees the connection reset (SO_LINGER on, for 0 seconds).
_RESET: Final = struct.pack("ii", 1, 0)


@attrs.frozen
class Handler:
    """Answers each request; the handler of aiohttp's low-level server.

    Where there is no admin API its requests are the service's, which has no such operation.
    """

    _service: Service
    _admin: Callable[[web.BaseRequest, bytes], Awaitable[web.StreamResponse]] | None

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. Whatever fails is an answer too."""
        raw_target = request.raw_path.encode("utf-8", "surrogateescape")
        try:
            if self._admin is not None and raw_target.startswith(_ADMIN_PREFIX):
                return await self._admin(request, raw_target)
            return await self._ask_service(request, raw_target)
        except ConnectionError:
            # The client is gone; aiohttp notices it when it writes.
            return web.Response()
        except Exception:
            _logger.exception("a request was not answered")
            headers = {"x-amzn-RequestId": str(uuid.uuid4())}
            code, message = "InternalServerErrorException", "The endpoint failed."
            return _respond(request, refused(Refusal(code, message, headers=headers)))

    async def _ask_service(self, request: web.BaseRequest, raw_target: bytes) -> web.StreamResponse:
        exchange = self._service.open(request.method, raw_target, request.raw_headers)
        try:
            exchange.body = await read_body(request)
        except Refusal as refusal:
            exchange.refusal = refusal
        return await deliver(request, await self._service.answer(exchange))


async def read_body(request: web.BaseRequest, max_bytes: int = BODY_BYTES) -> bytes:
    """Read a request's whole body.

    Raises:
        Refusal: The body is too large, too slow or not well-formed.
        ConnectionError: The client closed the connection.
    """
    if request.content_length is not None and request.content_length > max_bytes:
        raise _too_large(max_bytes)
    if "Expect" in request.headers and request.transport is not None:
        # The only expectation that there is (RFC 9110, 10.1.1).
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    try:
        # Most bodies come with their head, and need no timer.
        async with asyncio.timeout(None if request.content.is_eof() else BODY_SECONDS):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        raise Refusal("RequestTimeoutException", "The request's body did not arrive.") from None
    except (web.RequestPayloadError, HttpProcessingError):
        # aiohttp's C parser reports the first, its Python parser either.
        raise Refusal("MalformedHttpRequestException", "The body is not well-formed.") from None
    return bytes(body)


def _too_large(max_bytes: int) -> Refusal:
    return Refusal("RequestEntityTooLargeException", f"The body is larger than {max_bytes} bytes.")


def _respond(request: web.BaseRequest, answer: Answer) -> web.Response:
    """Make the response to a request, whose body need not have been read."""
    response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    if not request.content.is_eof():
        # The rest of a refused body would be taken for the next request.
        response.force_close()
    return response


async def deliver(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send an answer, whole or in a way of its own; aiohttp completes it."""
    if answer.delivery is None:
        return _respond(request, answer)
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    left = len(answer.body)
    if not answer.delivery.is_endless:
        response.content_length = left

    async def send(data: bytes) -> None:
        nonlocal left
        await response.prepare(request)
        # aiohttp holds the head back until there is a body, or an empty piece of one.
        await response.write(data)
        left -= len(data)

    try:
        await answer.delivery.deliver(answer.body, send)
    except ConnectionResetError:
        _reset(request.transport)
    else:
        if left > 0 and request.transport is not None:
            request.transport.close()
    return response


def _reset(transport: asyncio.Transport | None) -> None:
    if transport is not None and not transport.is_closing():
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
