"""What the admin API serves of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nimble_stop.local.admin.openapi.schemas import COUNT_OR_ZERO
from nimble_stop.local.admin.replies import EventStream, Problem
from nimble_stop.local.admin.routing import Parameter, Route

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call

__all__ = ["ROUTES"]

_READERS: Final = 100


def read_events(context: Context, call: Call) -> EventStream:
    """Open a stream of events."""
    if context.control.events.reader_count >= _READERS:
        raise Problem(503, f"{_READERS} readers follow the events already; close some.")
    # A browser that connects again sends the header, with the number that it was at.
    after = call.parameters.get("Last-Event-ID", call.parameters.get("after"))
    return EventStream(None if after is None else int(after))


_DESCRIPTION: Final = """\
Each event has an `id`, an `event` and JSON as `data`:

- `sessions`: `{"sessions": [...]}`, the sessions that changed, whole. One that was removed has the
  `state` null. The list is null when many changed at once, and all are to be read again.
- `request`: a request that came in, as `GET requests` lists it.
- `cleared`: `{}`, the journal was cleared.
- `faults`: `{"faults": [...]}`, all faults in force, as `GET faults` lists them.
- `clock`: the clock, as `GET clock` answers it.
- `reset`: `{}`, everything was reset or imported, and is to be read again.
- `resync`: `{}`, some events are lost, because the reader was away for too long or is too slow;
  everything is to be read again.

Comments keep the connection alive. A reader that takes nothing for half a minute is disconnected.
To miss nothing, open the stream first and read the state then."""
_AFTER: Final = (
    "The number of the last event seen: those after it are sent first. 0 asks for all since the "
    "endpoint began. Without it the stream begins with the next event."
)

ROUTES: Final = (
    Route(
        method="GET",
        path="/events",
        name="readEvents",
        summary="What changes and what comes in, as server-sent events",
        description=_DESCRIPTION,
        parameters=(
            Parameter("after", _AFTER, schema=COUNT_OR_ZERO),
            Parameter(
                "Last-Event-ID",
                "The same, as browsers send it; it goes before `after`.",
                schema=COUNT_OR_ZERO,
                header=True,
            ),
        ),
        action=read_events,
        returns={"type": "string"},
        media_type="text/event-stream",
        errors=(503,),
        may_wait=False,
    ),
)
"""The routes, in the order of the document."""
