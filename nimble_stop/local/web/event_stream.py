"""The endpoint's events as server-sent events.

This module owns the rule that a reader costs nothing but its socket's buffer. All readers share the
hub's buffer. One that falls behind it is sent a ``resync`` event, and one that takes nothing at all
for a while is disconnected. Nobody who publishes ever waits for a reader.

See https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop.local.events import Event, EventHub

__all__ = ["EVENT_STREAM", "RESYNC", "stream_events"]

EVENT_STREAM: Final = "text/event-stream"
"""The media type of a stream."""

RESYNC: Final = "resync"
"""The event that says that some were lost, and that everything is to be read again."""

# How long nothing is sent at most; proxies and clients close connections that are silent.
_HEARTBEAT_SECONDS: Final = 15.0
# A reader that takes nothing for so long is gone, or stopped in a debugger.
_STALL_SECONDS: Final = 30.0
# Events that come close together are sent together: a write for each would slow the requests down.
_GATHER_SECONDS: Final = 0.02
# How many events are written at once; what a slow reader keeps alive besides the shared buffer.
_BATCH: Final = 100
# What a browser waits before it connects again.
_RECONNECT_MILLISECONDS: Final = 1000


async def stream_events(
    request: web.BaseRequest,
    transport: asyncio.Transport,
    hub: EventHub,
    after: int | None,
    headers: Mapping[str, str],
) -> web.StreamResponse:
    """Send the events after a given one, or from the next one on, until the server ends.

    Raises:
        ConnectionError: The reader is gone, or takes nothing.
    """
    last_id = hub.last_id if after is None else after
    with hub.reader() as reader:
        response = web.StreamResponse(headers={**headers, "Content-Type": EVENT_STREAM})
        await response.prepare(request)
        # The number lets a reader resume that is disconnected before the first event.
        await _write(transport, response, f"retry: {_RECONNECT_MILLISECONDS}\nid: {last_id}\n\n")
        while True:
            # First of all: what happens from here on wakes it.
            reader.rest()
            if not reader.is_connected:
                return response
            newest_id = hub.last_id
            events = hub.after(last_id, _BATCH)
            if events == [] and await reader.wait(_HEARTBEAT_SECONDS):
                continue
            last_id = events[-1].id if events else newest_id
            await _write(transport, response, _text(events, last_id))
            await asyncio.sleep(_GATHER_SECONDS)


def _text(events: list[Event] | None, last_id: int) -> str:
    if events is None:
        return f"id: {last_id}\nevent: {RESYNC}\ndata: {{}}\n\n"
    written = (
        f"id: {event.id}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n"
        for event in events
    )
    return "".join(written) or ": nothing new\n\n"


async def _write(transport: asyncio.Transport, response: web.StreamResponse, text: str) -> None:
    try:
        async with asyncio.timeout(_STALL_SECONDS):
            await response.write(text.encode())
    except TimeoutError:
        transport.abort()
        raise ConnectionResetError("the reader takes nothing") from None
