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
from contextlib import suppress
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Final, Self

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Event", "EventHub", "EventKind", "EventReader"]

# A page that was away for a minute of heavy testing finds everything; some megabytes at most.
_CAPACITY: Final = 2_000


class EventKind(StrEnum):
    """What an event is about; the value is the name that readers receive.

    The admin API's route ``events`` describes the data of each kind.
    """

    SESSIONS = "sessions"
    REQUEST = "request"
    CLEARED = "cleared"
    FAULTS = "faults"
    CLOCK = "clock"
    RESET = "reset"


@attrs.frozen
class Event:
    """One change.

    Args:
        id: Its number, one more than that of the event before it.
        kind: What it is about.
        read_data: Returns its data, ready for JSON. It is called by those who read the event, so
            that an event that nobody reads costs nothing.
    """

    id: int
    kind: EventKind
    read_data: Callable[[], Mapping[str, object]] = attrs.field(repr=False)

    @property
    def data(self) -> Mapping[str, object]:
        """The event's data, ready for JSON."""
        return self.read_data()


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
        self._first_id = self._last_id = time.time_ns() // 1000
        self._lock = threading.Lock()
        self._readers: tuple[EventReader, ...] = ()

    @property
    def last_id(self) -> int:
        """The number of the newest event, or one less than that of the first."""
        return self._last_id

    @property
    def reader_count(self) -> int:
        """How many streams read the events now."""
        return len(self._readers)

    def publish(self, kind: EventKind, read_data: Callable[[], Mapping[str, object]]) -> None:
        """Append an event and wake the readers; never waits for any of them.

        Args:
            kind: What the event is about.
            read_data: Returns the event's data; called later, in the reader's thread.
        """
        with self._lock:
            self._last_id += 1
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
            newer = self._last_id - seen
            if not 0 <= newer <= len(self._kept):
                return None
            start = len(self._kept) - newer
            kept = list(islice(self._kept, start, None if limit is None else start + limit))
        return [Event(seen + index, *event) for index, event in enumerate(kept, 1)]

    def open(
        self, after: int, *, limit: int | None = None, idle_seconds: float | None = None
    ) -> EventReader:
        """Open a stream of events for the running event loop.

        Args:
            after: The last event that the reader has seen; 0 for none.
            limit: How many events come at once at most; None for all that there are.
            idle_seconds: After how many seconds without an event an empty list comes.

        Returns:
            An asynchronous iterator, to be closed with `EventReader.close`; `disconnect` ends it.
        """
        reader = EventReader(self, after, limit=limit, idle_seconds=idle_seconds)
        with self._lock:
            self._readers += (reader,)
        return reader

    def disconnect(self, *readers: EventReader) -> None:
        """End some streams, or all that are open now."""
        with self._lock:
            ended = readers or self._readers
            self._readers = tuple(reader for reader in self._readers if reader not in ended)
        for reader in ended:
            reader.is_disconnected = True
            reader.wake()


class EventReader:
    """A stream of events on an event loop: what comes after an event, as it is published.

    It yields what `EventHub.after` returns. When events are lost it continues with the newest.
    """

    def __init__(
        self, hub: EventHub, after: int, *, limit: int | None, idle_seconds: float | None
    ) -> None:
        self.is_disconnected = False
        self.last_id = after
        """The last event that the reader need not ask for again."""
        self._hub = hub
        self._limit = limit
        self._idle_seconds = idle_seconds
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

    def close(self) -> None:
        """End the stream."""
        self._hub.disconnect(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event] | None:
        is_idle = False
        while True:
            # In this order: what happens from here on wakes it.
            self._woken.clear()
            self._is_awake = False
            if self.is_disconnected:
                raise StopAsyncIteration
            newest_id = self._hub.last_id
            events = self._hub.after(self.last_id, self._limit)
            if events is None:
                self.last_id = newest_id
            elif events:
                self.last_id = events[-1].id
            if is_idle or events != []:
                return events
            try:
                async with asyncio.timeout(self._idle_seconds):
                    await self._woken.wait()
            except TimeoutError:
                is_idle = True
