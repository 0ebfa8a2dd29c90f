"""How an answer goes out: whole, or in the way that a fault wants it."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from nimble_stop.local.api.answer import Answer

__all__ = ["deliver"]

# An abortive close: the peer sees the connection reset (SO_LINGER on, for 0 seconds).
_RESET: Final = struct.pack("ii", 1, 0)


async def deliver(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send an answer, whole or in the way that its fault wants it.

    Returns:
        The response for aiohttp to complete.
    """
    if answer.delivery is None:
        response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        if not request.content.is_eof():
            # The rest of a refused body would be taken for the next request.
            response.force_close()
        return response
    wire = _HttpWire(request, answer)
    await answer.delivery.deliver(wire, answer.body)
    return wire.response


class _HttpWire:
    """The connection of a request, for a fault that sends the answer itself."""

    def __init__(self, request: web.BaseRequest, answer: Answer) -> None:
        self.response = web.StreamResponse(status=answer.status, headers=answer.headers)
        self.response.content_length = len(answer.body)
        self._request = request

    async def send_head(self) -> None:
        await self.response.prepare(self._request)
        # aiohttp holds the head back until there is a body, or an empty piece of one.
        await self.response.write(b"")

    async def send(self, data: bytes) -> None:
        await self.response.write(data)

    def close(self) -> None:
        if self._request.transport is not None:
            self._request.transport.close()

    def reset(self) -> None:
        transport = self._request.transport
        if transport is not None:
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
