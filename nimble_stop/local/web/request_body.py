"""How a request's body is read: whole, in bounded time and up to a bounded size."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from nimble_stop.local.api.refusals import Refusal

__all__ = ["BODY_BYTES", "BODY_SECONDS", "read_body"]

BODY_BYTES: Final = 1024 * 1024
"""How large a body may be, in bytes, unless the reader allows more."""

BODY_SECONDS: Final = 10.0
"""How long a body may take to arrive after its head, in seconds."""


async def read_body(request: web.BaseRequest, max_bytes: int = BODY_BYTES) -> bytes:
    """Read a request's whole body.

    Args:
        request: The request.
        max_bytes: How large the body may be, in bytes.

    Raises:
        Refusal: The body is too large, too slow or not well-formed.
        ConnectionError: The client closed the connection.
    """
    if request.content_length is not None and request.content_length > max_bytes:
        raise _too_large(max_bytes)
    if "Expect" in request.headers and request.transport is not None:
        # The only expectation that there is (RFC 9110, 10.1.1).
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        if request.content.is_eof():
            # It came with its head, as most bodies do: no timer is needed.
            return await _read(request, max_bytes)
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(request, max_bytes)
    except TimeoutError:
        raise Refusal("RequestTimeoutException", "The request's body did not arrive.") from None
    except (web.RequestPayloadError, HttpProcessingError):
        # aiohttp's C parser reports the first, its Python parser either.
        raise Refusal("MalformedHttpRequestException", "The body is not well-formed.") from None


async def _read(request: web.BaseRequest, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> Refusal:
    return Refusal("RequestEntityTooLargeException", f"The body is larger than {max_bytes} bytes.")
