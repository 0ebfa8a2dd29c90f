from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from nimble_stop.local.events import EventHub, EventKind, Replay

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


def publish(hub: EventHub, *numbers: int) -> None:
    """Publish events that carry numbers."""
    for number in numbers:
        hub.publish(EventKind.CLOCK, lambda number=number: {"number": number})  # type: ignore[misc]


def numbers(replay: Replay) -> list[object]:
    """Read the numbers that the events carry."""
    return [event.data["number"] for event in replay.events]


def test_a_reader_resumes_after_what_it_has_seen() -> None:
    """Ids grow by one, and only newer events are replayed."""
    hub = EventHub()
    publish(hub, 1, 2, 3)
    assert [event.id for event in hub.after(0).events] == [1, 2, 3]
    assert numbers(hub.after(2)) == [3]
    assert hub.after(3) == Replay((), lost=False)
    assert hub.last_id == 3


def test_the_buffer_is_bounded() -> None:
    """A reader that was away for too long gets the newest events and is informed of the loss."""
    hub = EventHub(capacity=2)
    publish(hub, 1, 2, 3)
    assert numbers(hub.after(1)) == [2, 3]
    assert not hub.after(1).lost
    assert numbers(hub.after(0)) == [2, 3]
    assert hub.after(0).lost


def test_an_id_of_another_run() -> None:
    """An id that this hub never gave cannot be resumed from."""
    hub = EventHub()
    publish(hub, 1)
    assert hub.after(7).lost
    assert numbers(hub.after(7)) == [1]


def test_data_is_made_for_readers_only() -> None:
    """An event that nobody reads does not compute its data."""
    hub = EventHub()
    hub.publish(EventKind.RESET, lambda: pytest.fail("nobody has read it"))
    assert hub.after(0).events[0].kind == "reset"


async def take(stream: AsyncGenerator[Replay], count: int) -> list[object]:
    """Read numbers from a stream until there are enough."""
    taken: list[object] = []
    async for replay in stream:
        taken += numbers(replay)
        if len(taken) >= count:
            break
    await stream.aclose()
    return taken


def test_a_stream_yields_what_other_threads_publish() -> None:
    """Readers on an event loop receive every event, in order, from whatever thread."""
    hub = EventHub()

    async def read() -> list[object]:
        stream = hub.stream()
        reading = asyncio.create_task(take(stream, 100))
        # The reader runs until it waits.
        await asyncio.sleep(0)
        assert hub.is_watched
        publisher = threading.Thread(target=publish, args=(hub, *range(100)))
        publisher.start()
        taken = await reading
        publisher.join()
        return taken

    assert asyncio.run(read()) == list(range(100))
    assert not hub.is_watched


def test_a_stream_resumes() -> None:
    """With the id of the last event seen, a stream begins behind it."""
    hub = EventHub()
    publish(hub, 1, 2, 3)
    assert asyncio.run(take(hub.stream(after=1), 2)) == [2, 3]


def test_a_slow_stream_loses_the_oldest() -> None:
    """A reader that is slower than the publisher costs no memory, and continues with the newest."""
    hub = EventHub(capacity=2)

    async def read() -> list[bool]:
        lost: list[bool] = []
        publish(hub, 0)
        async for replay in hub.stream(after=0):
            lost.append(replay.lost)
            if len(lost) == 2:
                break
            publish(hub, 1, 2, 3)
        return lost

    assert asyncio.run(read()) == [False, True]


def test_publishing_from_many_threads() -> None:
    """Each event has a number of its own, in the order of the buffer."""
    hub = EventHub()
    threads = [threading.Thread(target=publish, args=(hub, *range(100))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [event.id for event in hub.after(0).events]
    assert all(later == earlier + 1 for earlier, later in pairwise(ids))
    assert len(ids) == 400
