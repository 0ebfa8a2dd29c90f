"""What the admin API does to the endpoint as a whole: faults, journal, clock, state, health."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from nimble_stop._version import __version__
from nimble_stop.local.admin.page_files import INDEX, read_page_file
from nimble_stop.local.admin.replies import Content, EventStream, Problem, json_reply

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call

_READERS: Final = 100


def get_health(context: Context, _: Call) -> Content:
    """Say that it serves, and whether the store answers."""
    return json_reply(
        {
            "status": "ok",
            "name": "nimble-stop",
            "version": __version__,
            "uptimeSeconds": round(time.monotonic() - context.started, 3),
            "store": "ok",
        }
    )


def read_events(context: Context, call: Call) -> EventStream:
    """Open a stream of events."""
    if context.control.events.reader_count >= _READERS:
        raise Problem(503, f"{_READERS} readers follow the events already; close some.")
    # A browser that connects again sends the header, with the number that it was at.
    after = call.parameters.get("Last-Event-ID", call.parameters.get("after"))
    return EventStream(None if after is None else int(after))


def get_index(_: Context, __: Call) -> Content:
    """Read the live page."""
    return read_page_file(INDEX)


def get_page_file(_: Context, call: Call) -> Content:
    """Read a file of the live page."""
    return read_page_file(call.path["name"])
