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
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

__all__ = ["Event", "EventHub", "EventKind", "Replay"]

# A page that was away for a minute of heavy testing finds everything; some megabytes at most.
_CAPACITY: Final = 2_000


class EventKind(StrEnum):
    """What an event is about; the value is the name that readers receive.

    The data of each kind:

    - ``sessions``: ``{"sessions": [{"studioId", "sessionId", "state"}, ...]}``; the list is None
      when many sessions changed at once, and all are to be read again. A session that was deleted
      from the store has the state None.
    - ``request``: the journal's record, as `RequestRecord.to_dict` writes it.
    - ``faults``: ``{"faults": [...]}``, all rules in force.
    - ``clock``: ``{"now": seconds, "skipped": seconds}``.
    - ``reset``: ``{}``; everything is to be read again.
    """

    SESSIONS = "sessions"
    REQUEST = "request"
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
        self._readers: list[_Reader] = []

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

    async def stream(
        self, after: int, *, limit: int | None = None, idle_seconds: float | None = None
    ) -> AsyncGenerator[Replay]:
        """Read events as they are published, on the running event loop, until `disconnect`.

        Args:
            after: The last event that the reader has seen; 0 for none.
            limit: How many events come at once at most; None for all that there are.
            idle_seconds: After how many seconds without an event a `Replay` without one comes.

        Yields:
            The new events. A reader that is slower than the publishers gets `Replay.lost` and
            continues with the newest.
        """
        reader = _Reader(asyncio.get_running_loop())
        with self._lock:
            self._readers.append(reader)
        try:
            while not reader.is_disconnected:
                reader.sleep()
                replay = self.after(after, limit)
                if replay.events or replay.lost or not await reader.wait(idle_seconds):
                    after = replay.last_id
                    yield replay
        finally:
            with self._lock:
                self._readers.remove(reader)

    def disconnect(self) -> None:
        """End all streams that read now."""
        with self._lock:
            readers = tuple(self._readers)
        for reader in readers:
            reader.is_disconnected = True
            reader.wake()


class _Reader:
    """A stream that waits for events on its event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_disconnected = False
        self._loop = loop
        self._woken = asyncio.Event()
        self._is_awake = True

    def wake(self) -> None:
        """Let the reader go on, from any thread; costs nothing when it is awake already."""
        if not self._is_awake:
            self._is_awake = True
            # The loop is closed when its program has ended.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._woken.set)

    def sleep(self) -> None:
        """Notice from now on what wakes the reader."""
        self._woken.clear()
        self._is_awake = False

    async def wait(self, seconds: float | None) -> bool:
        """Wait until the reader is woken.

        Returns:
            False when the time was over before.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True
