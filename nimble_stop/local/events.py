"""What changed in the endpoint, as a bounded sequence of numbered events.

The publisher never waits, and knows no readers: each asks for what is new. One that is too slow
loses the oldest events and is informed of it. All share one buffer, so a reader costs no memory of
its own, and one that was disconnected resumes after the last id it has seen.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import attrs

from nimble_stop.local.faults.fault_file import describe_rule
from nimble_stop.local.studio.document import describe_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nimble_stop.local.faults.rules import FaultRule
    from nimble_stop.local.storage.tables import Change

# A page that was away for a minute of heavy testing finds everything; some megabytes at most.
_CAPACITY: Final = 2_000


EventKind: TypeAlias = Literal["sessions", "request", "cleared", "faults", "clock", "reset"]
"""What an event is about. The admin API's route ``events`` describes the data of each kind."""


@attrs.frozen
class Event:
    """One change; its number is one more than that of the event before it."""

    id: int
    kind: EventKind
    data: Mapping[str, object]


class EventHub:
    """Keeps the newest events for whoever reads them; safe to use from several threads.

    Args:
        capacity: How many events are kept for readers that come back or are slow.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._kept: deque[tuple[EventKind, Callable[[], Mapping[str, object]]]] = deque(
            maxlen=capacity
        )
        # Greater than any number of an endpoint that ran before: none of its readers can take our
        # events for those that it has seen. JavaScript's numbers hold it exactly.
        self.last_id: int = time.time_ns() // 1000
        """The number of the newest event, or one less than that of the first."""
        self._first_id = self.last_id
        self._lock = threading.Lock()

    def publish(self, kind: EventKind, read_data: Callable[[], Mapping[str, object]]) -> None:
        """Append an event.

        The event's data are computed by those who read it: an event that nobody reads costs little.
        """
        with self._lock:
            self.last_id += 1
            self._kept.append((kind, read_data))

    def publish_sessions(self, changes: Sequence[Change] | None) -> None:
        """Append an event about sessions that changed; None when all of them may have."""
        self.publish(
            "sessions",
            lambda: {"sessions": None if changes is None else list(map(_describe_change, changes))},
        )

    def publish_faults(self, rules: Iterable[FaultRule]) -> None:
        """Append an event about the rules, which are read when the event is."""
        self.publish("faults", lambda: {"faults": list(map(describe_rule, rules))})

    def after(self, event_id: int, limit: int | None = None) -> list[Event] | None:
        """Read the events that were published after one, oldest first.

        Args:
            event_id: The last event that the reader has seen; 0 for none. A number that was never
                given, such as one of an endpoint that ran before, counts as lost events.
            limit: How many events at most; None for all.

        Returns:
            The events; None when some are lost, so that the reader must read everything again.
        """
        seen = event_id or self._first_id
        with self._lock:
            newer = self.last_id - seen
            if not 0 <= newer <= len(self._kept):
                return None
            start = len(self._kept) - newer
            kept = list(islice(self._kept, start, None if limit is None else start + limit))
        return [
            Event(number, kind, read_data())
            for number, (kind, read_data) in enumerate(kept, seen + 1)
        ]


def _describe_change(change: Change) -> dict[str, object]:
    studio_id, session_id, session = change
    if session is None:
        return {"studioId": studio_id, "sessionId": session_id, "state": None}
    return describe_session(session)
