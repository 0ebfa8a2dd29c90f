"""The endpoint's events as server-sent events.

This module owns the rule that a reader costs nothing but its socket's buffer. All readers share the
hub's buffer, and each polls it. One that falls behind it is sent a ``resync`` event, and one that
takes nothing at all for a while is disconnected. Nobody who publishes ever waits for a reader.

See https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from nimble_stop.local.api.answer import Delivery, Send
from nimble_stop.local.storage.busy import StoreBusyError

if TYPE_CHECKING:
    from nimble_stop.local.admin.routing import Context
    from nimble_stop.local.events import Event
    from nimble_stop.local.storage.store import Store

_logger: Final = logging.getLogger("nimble_stop.local")

EVENT_STREAM: Final = "text/event-stream"
"""The media type of a stream."""

RESYNC: Final = "resync"
"""The event that says that some were lost, and that everything is to be read again."""

# How long nothing is sent at most; proxies and clients close connections that are silent.
_HEARTBEAT_SECONDS: Final = 15.0
# A reader that takes nothing for so long is gone, or stopped in a debugger.
_STALL_SECONDS: Final = 30.0
# How often a reader polls; events that come close together are sent together.
_POLL_SECONDS: Final = 0.05
# How many events are written at once; what a slow reader keeps alive besides the shared buffer.
_BATCH: Final = 250
# What a browser waits before it connects again.
_RECONNECT_MILLISECONDS: Final = 1000


@attrs.frozen
class EventStream(Delivery):
    """Sends the events after a given one, or from the next one on, until the server ends."""

    is_endless: ClassVar[bool] = True

    context: Context
    after: int | None

    async def deliver(self, body: bytes, send: Send) -> None:
        """Send what is new, again and again.

        Raises:
            ConnectionResetError: The reader is gone, or takes nothing.
        """
        del body
        hub = self.context.control.events
        last_id = hub.last_id if self.after is None else self.after
        self.context.readers += 1
        try:
            # The number lets a reader resume that is disconnected before the first event.
            await _write(send, f"retry: {_RECONNECT_MILLISECONDS}\nid: {last_id}\n\n")
            written = time.monotonic()
            while not self.context.is_closed:
                _complete_due(self.context.store)
                newest_id = hub.last_id
                events = hub.after(last_id, _BATCH)
                if events != [] or time.monotonic() >= written + _HEARTBEAT_SECONDS:
                    last_id = events[-1].id if events else newest_id
                    await _write(send, _text(events, last_id))
                    written = time.monotonic()
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self.context.readers -= 1


def _complete_due(store: Store) -> None:
    """Complete the transitions that are due, and notice what other processes have changed.

    Transitions need no timer: whoever reads a session completes them first. A page that only waits
    for events reads none.
    """
    try:
        with store.access() as tables:
            tables.note_changes_of_others()
            tables.complete_due()
    except StoreBusyError:
        # The next poll comes soon.
        return
    except Exception:
        _logger.exception("transitions were not completed")


def _text(events: list[Event] | None, last_id: int) -> str:
    if events is None:
        return f"id: {last_id}\nevent: {RESYNC}\ndata: {{}}\n\n"
    written = (
        f"id: {event.id}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n"
        for event in events
    )
    return "".join(written) or ": nothing new\n\n"


async def _write(send: Send, text: str) -> None:
    try:
        async with asyncio.timeout(_STALL_SECONDS):
            await send(text.encode())
    except TimeoutError:
        raise ConnectionResetError("the reader takes nothing") from None
