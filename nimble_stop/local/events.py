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

__all__ = ["Event", "EventHub", "EventKind", "EventReader", "Replay"]

# A page that was away for a minute of heavy testing finds everything; some megabytes at most.
_CAPACITY: Final = 2_000


class EventKind(StrEnum):
    """What an event is about; the value is the name that readers receive.

    The data of each kind:

    - ``sessions``: ``{"sessions": [...]}``, each as `Control.session_documents` returns it. One
      that was removed has a ``studioId``, a ``sessionId`` and the ``state`` None. The list is None
      when many sessions changed at once, and all are to be read again.
    - ``request``: the journal's record, as `RequestRecord.to_dict` writes it.
    - ``cleared``: ``{}``; the journal was cleared.
    - ``faults``: ``{"faults": [...]}``, all rules in force, as `describe_rule` writes them.
    - ``clock``: as `Control.clock_document` returns it.
    - ``reset``: ``{}``; everything is to be read again.
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
        """The event's data; `EventKind` describes them."""
        return self.read_data()


@attrs.frozen
class Replay:
    """Events that were published after a given one.

    Args:
        events: The events, oldest first; none when some are lost.
        last_id: The number of the last event that the reader need not ask for again.
        lost: Whether some of those asked for are gone, so that the reader must read everything
            again.
    """

    events: tuple[Event, ...]
    last_id: int
    lost: bool = False


class EventHub:
    """Takes events from any thread and hands them to readers; safe to use from several threads.

    Args:
        capacity: How many events are kept for readers that come back or are slow.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._events: deque[Event] = deque(maxlen=capacity)
        # Greater than any number of an endpoint that ran before: none of its readers can take our
        # events for those that it has seen. JavaScript's numbers hold it exactly.
        self._first_id = self._last_id = time.time_ns() // 1000
        self._lock = threading.Lock()
        self._readers: list[EventReader] = []

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
            self._events.append(Event(self._last_id, kind, read_data))
            readers = tuple(self._readers)
        for reader in readers:
            reader.wake()

    def after(self, event_id: int, limit: int | None = None) -> Replay:
        """Read the events that were published after one.

        Args:
            event_id: The last event that the reader has seen; 0 for none. A number that was never
                given, such as one of an endpoint that ran before, counts as lost events.
            limit: How many events at most; None for all.
        """
        with self._lock:
            newer = self._last_id - (event_id or self._first_id)
            if not 0 <= newer <= len(self._events):
                return Replay((), self._last_id, lost=True)
            start = len(self._events) - newer
            events = tuple(islice(self._events, start, None if limit is None else start + limit))
            return Replay(events, events[-1].id if events else self._last_id)

    def open(
        self, after: int, *, limit: int | None = None, idle_seconds: float | None = None
    ) -> EventReader:
        """Open a stream of events for the running event loop.

        Args:
            after: The last event that the reader has seen; 0 for none.
            limit: How many events come at once at most; None for all that there are.
            idle_seconds: After how many seconds without an event a `Replay` without one comes.

        Returns:
            An asynchronous iterator, to be closed with `EventReader.close`; `disconnect` ends it.
        """
        reader = EventReader(self, after, limit=limit, idle_seconds=idle_seconds)
        with self._lock:
            self._readers.append(reader)
        return reader

    def disconnect(self, reader: EventReader | None = None) -> None:
        """End a stream, or all streams that are open now."""
        with self._lock:
            readers = self._readers if reader is None else [reader]
            self._readers = [kept for kept in self._readers if kept not in readers]
        for ended in readers:
            ended.is_disconnected = True
            ended.wake()


class EventReader:
    """A stream of events on an event loop: what comes after an event, as it is published.

    A reader that is slower than the publishers gets `Replay.lost` and continues with the newest.
    """

    def __init__(
        self, hub: EventHub, after: int, *, limit: int | None, idle_seconds: float | None
    ) -> None:
        self.is_disconnected = False
        self._hub = hub
        self._after = after
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

    async def __anext__(self) -> Replay:
        is_idle = False
        while True:
            # In this order: what happens from here on wakes it.
            self._woken.clear()
            self._is_awake = False
            if self.is_disconnected:
                raise StopAsyncIteration
            replay = self._hub.after(self._after, self._limit)
            if replay.events or replay.lost or is_idle:
                self._after = replay.last_id
                return replay
            is_idle = not await self._wait()

    async def _wait(self) -> bool:
        """Wait until there is something; False when the time was over before."""
        try:
            async with asyncio.timeout(self._idle_seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True
