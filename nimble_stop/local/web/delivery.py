"""How an answer goes out: whole, or in the way that a fault wants it.

This module owns what the faults of delivery do to a connection.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Final

from aiohttp import web

from nimble_stop.local.faults.kinds import (
    ResetAfterChange,
    ResetBeforeChange,
    TrickledBody,
    TruncatedBody,
)

if TYPE_CHECKING:
    from nimble_stop.local.api.exchange import Answer

__all__ = ["deliver"]

# An abortive close: the peer sees the connection reset (SO_LINGER on, for 0 seconds).
_RESET: Final = struct.pack("ii", 1, 0)


async def deliver(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send an answer, whole or in the way that its fault wants it.

    Returns:
        The response for aiohttp to complete.
    """
    delivery = answer.delivery
    if delivery is None:
        response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        if not request.content.is_eof():
            # The rest of a refused body would be taken for the next request.
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
    # The head does not wait for the first piece.
    await response.write(b"")
    for start in range(0, len(body), fault.piece_bytes):
        await asyncio.sleep(fault.seconds_between)
        await response.write(body[start : start + fault.piece_bytes])
