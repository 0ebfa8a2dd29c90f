from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from itertools import pairwise

import pytest

from nimble_stop.local.events import Event, EventHub, EventKind


def publish(hub: EventHub, *numbers: int) -> None:
    """Publish events that carry numbers."""
    for number in numbers:
        hub.publish(EventKind.CLOCK, lambda number=number: {"number": number})  # type: ignore[misc]


def numbers(events: list[Event] | None) -> list[object] | None:
    """Read the numbers that the events carry; None when some are lost."""
    return None if events is None else [event.data["number"] for event in events]


def all_events(hub: EventHub) -> list[Event]:
    """Read all events."""
    events = hub.after(0)
    assert events is not None
    return events


def test_a_reader_resumes_after_what_it_has_seen() -> None:
    """Ids grow by one, and only newer events are replayed."""
    hub = EventHub()
    publish(hub, 1, 2, 3)
    first, second, third = all_events(hub)
    assert (second.id, third.id) == (first.id + 1, first.id + 2)
    assert numbers(hub.after(second.id)) == [3]
    assert hub.after(third.id) == []
    assert hub.last_id == third.id


def test_the_buffer_is_bounded() -> None:
    """A reader that was away for too long is informed of the loss, and goes on with the newest."""
    hub = EventHub(capacity=2)
    start = hub.last_id
    publish(hub, 1, 2, 3)
    assert numbers(hub.after(start + 1)) == [2, 3]
    assert hub.after(start) is None
    assert hub.after(0) is None


def test_reading_in_portions() -> None:
    """A limit gives the oldest events."""
    hub = EventHub()
    publish(hub, 1, 2, 3)
    assert numbers(hub.after(0, 2)) == [1, 2]
    assert numbers(hub.after(all_events(hub)[1].id, 2)) == [3]


@pytest.mark.parametrize("ahead", [-1, 2])
def test_an_id_of_another_run(ahead: int) -> None:
    """An id that this hub never gave cannot be resumed from, be it smaller or greater."""
    hub = EventHub()
    foreign = hub.last_id + ahead
    publish(hub, 1)
    assert hub.after(foreign) is None


def test_ids_grow_over_restarts() -> None:
    """The ids of a hub are greater than those of one before it."""
    earlier = EventHub()
    publish(earlier, 1)
    assert EventHub().last_id > earlier.last_id


def test_data_is_made_for_readers_only() -> None:
    """An event that nobody reads does not compute its data."""
    hub = EventHub()
    hub.publish(EventKind.RESET, lambda: pytest.fail("nobody has read it"))
    assert all_events(hub)[0].kind == "reset"


async def take(hub: EventHub, count: int, after: int) -> list[object]:
    """Read numbers from a stream until there are enough."""
    taken: list[object] = []
    with closing(hub.open(after)) as reader:
        async for events in reader:
            taken += numbers(events) or []
            if len(taken) >= count:
                break
    return taken


def test_a_stream_yields_what_other_threads_publish() -> None:
    """Readers on an event loop receive every event, in order, from whatever thread."""
    hub = EventHub()

    async def read() -> list[object]:
        reading = asyncio.create_task(take(hub, 100, hub.last_id))
        # The reader runs until it waits.
        await asyncio.sleep(0)
        assert hub.reader_count == 1
        publisher = threading.Thread(target=publish, args=(hub, *range(100)))
        publisher.start()
        taken = await reading
        publisher.join()
        return taken

    assert asyncio.run(read()) == list(range(100))
    assert hub.reader_count == 0


def test_a_stream_resumes() -> None:
    """With the id of the last event seen, a stream begins behind it."""
    hub = EventHub()
    publish(hub, 1, 2, 3)
    first = all_events(hub)[0].id
    assert asyncio.run(take(hub, 2, first)) == [2, 3]


def test_a_slow_stream_loses_the_oldest() -> None:
    """A reader that is slower than the publisher costs no memory, and continues with the newest."""
    hub = EventHub(capacity=2)

    async def read() -> list[list[object] | None]:
        seen: list[list[object] | None] = []
        with closing(hub.open(hub.last_id)) as reader:
            publish(hub, 0)
            for after in ((1, 2, 3), (4,), ()):
                seen.append(numbers(await anext(reader)))
                publish(hub, *after)
        return seen

    assert asyncio.run(read()) == [[0], None, [4]]


def test_an_idle_stream() -> None:
    """A reader can have a sign of life when nothing happens."""
    hub = EventHub()

    async def read() -> list[Event] | None:
        with closing(hub.open(0, idle_seconds=0)) as reader:
            return await anext(reader)

    assert asyncio.run(read()) == []


def test_disconnecting() -> None:
    """All streams end at once, also those that wait; new ones are served."""
    hub = EventHub()

    async def read() -> list[object]:
        waiting = asyncio.create_task(take(hub, 1, hub.last_id))
        await asyncio.sleep(0)
        hub.disconnect()
        return await waiting

    assert asyncio.run(read()) == []
    publish(hub, 1)
    assert asyncio.run(take(hub, 1, 0)) == [1]


def test_a_loop_that_is_closed() -> None:
    """A reader whose event loop has ended does not hurt who publishes."""
    hub = EventHub()

    async def leave() -> None:
        reader = hub.open(hub.last_id, idle_seconds=0)
        assert await anext(reader) == []
        # It waits, and nobody closes it.
        waiting = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(leave())
    publish(hub, 1)
    hub.disconnect()
    assert hub.reader_count == 0


def test_publishing_from_many_threads() -> None:
    """Each event has a number of its own, in the order of the buffer."""
    hub = EventHub()
    threads = [threading.Thread(target=publish, args=(hub, *range(100))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [event.id for event in all_events(hub)]
    assert all(later == earlier + 1 for earlier, later in pairwise(ids))
    assert len(ids) == 400
