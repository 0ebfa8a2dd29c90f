"""What changed in the endpoint, as a bounded sequence of numbered events.

The publisher never waits: a reader that is too slow does not hold up a request, it loses the oldest
events and is informed of it. All readers share one buffer, so a reader costs no memory of its own,
and one that was disconnected resumes after the last id it has seen.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

__all__ = ["Event", "EventHub", "EventKind", "EventReader"]

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
    """Takes events from any thread and hands them to readers; safe to use from several threads.

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
        self._readers: tuple[EventReader, ...] = ()

    @property
    def reader_count(self) -> int:
        """How many streams read the events now."""
        return len(self._readers)

    def publish(self, kind: EventKind, read_data: Callable[[], Mapping[str, object]]) -> None:
        """Append an event and wake the readers; never waits for any of them.

        The event's data are computed by those who read it: an event that nobody reads costs little.
        """
        with self._lock:
            self.last_id += 1
            self._kept.append((kind, read_data))
        for reader in self._readers:
            reader.wake()

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

    @contextmanager
    def reader(self) -> Generator[EventReader]:
        """Connect a reader, which is on the running event loop."""
        reader = EventReader()
        with self._lock:
            self._readers = (*self._readers, reader)
        try:
            yield reader
        finally:
            with self._lock:
                self._readers = tuple(other for other in self._readers if other is not reader)

    def disconnect(self) -> None:
        """End all streams that are open now."""
        for reader in self._readers:
            reader.is_connected = False
            reader.wake()


class EventReader:
    """Waits for events on an event loop."""

    def __init__(self) -> None:
        self.is_connected = True
        """Whether more can come."""
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._is_awake = True

    def wake(self) -> None:
        """Let the reader go on, from any thread; costs nothing when it is awake already."""
        if not self._is_awake:
            self._is_awake = True
            # The loop is closed when its program has ended.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._woken.set)

    def rest(self) -> None:
        """Let what is published from now on end the next `wait`."""
        self._woken.clear()
        self._is_awake = False

    async def wait(self, seconds: float) -> bool:
        """Wait until something is published after `rest`; return False when it takes too long."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True
