"""What changed in the endpoint, as a bounded sequence of numbered events.

The publisher never waits: a reader that is too slow does not hold up a request, it loses the oldest
events and is informed of it. All readers share one buffer, so a reader costs no memory of its own,
and one that was disconnected resumes after the last id it has seen.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping

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
        id: Its number; each event has a larger one than the event before it, from 1.
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
        events: The events that the buffer still holds, oldest first.
        lost: Whether some of those asked for are gone, so that the reader must read everything
            again.
    """

    events: tuple[Event, ...]
    lost: bool


class EventHub:
    """Takes events from any thread and hands them to readers; safe to use from several threads.

    Args:
        capacity: How many events are kept for readers that come back or are slow.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._events: deque[Event] = deque(maxlen=capacity)
        self._last_id = 0
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], object]] = []

    @property
    def last_id(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._last_id

    @property
    def is_watched(self) -> bool:
        """Whether somebody reads the events now."""
        return bool(self._wakers)

    def publish(self, kind: EventKind, read_data: Callable[[], Mapping[str, object]]) -> None:
        """Append an event and wake the readers; never waits for any of them.

        Args:
            kind: What the event is about.
            read_data: Returns the event's data; called later, in the reader's thread.
        """
        with self._lock:
            self._last_id += 1
            self._events.append(Event(self._last_id, kind, read_data))
            wakers = tuple(self._wakers)
        for wake in wakers:
            wake()

    def after(self, event_id: int) -> Replay:
        """Read the events that were published after one.

        Args:
            event_id: The last event that the reader has seen; 0 for none. An id that was never
                given, such as one of an endpoint that ran before, counts as lost events.
        """
        with self._lock:
            if event_id > self._last_id:
                return Replay(tuple(self._events), lost=True)
            newer = self._last_id - event_id
            lost = newer > len(self._events)
            start = 0 if lost else len(self._events) - newer
            return Replay(tuple(self._events)[start:], lost=lost)

    async def stream(self, after: int | None = None) -> AsyncGenerator[Replay]:
        """Read events as they are published, on the running event loop, until cancelled.

        Args:
            after: The last event that the reader has seen; None begins with the next one.

        Yields:
            The new events, each time there are some, never an empty `Replay`. A reader that is
            slower than the publishers receives what the buffer still holds, with `Replay.lost`.
        """
        loop = asyncio.get_running_loop()
        published = asyncio.Event()
        last_id = self._last_id if after is None else after
        with self._woken(lambda: loop.call_soon_threadsafe(published.set)):
            while True:
                published.clear()
                replay = self.after(last_id)
                if replay.events or replay.lost:
                    last_id = self._last_id if not replay.events else replay.events[-1].id
                    yield replay
                else:
                    await published.wait()

    @contextmanager
    def _woken(self, wake: Callable[[], object]) -> Generator[None]:
        with self._lock:
            self._wakers.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakers.remove(wake)
