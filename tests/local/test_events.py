from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from nimble_stop.local.events import Event, EventHub


def publish(hub: EventHub, *numbers: int) -> None:
    """Publish events that carry numbers."""
    for number in numbers:
        hub.publish("clock", lambda number=number: {"number": number})  # type: ignore[misc]


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
    hub.publish("reset", lambda: pytest.fail("nobody has read it"))
    last_id = hub.last_id
    publish(hub, 1)
    assert numbers(hub.after(last_id)) == [1]


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
