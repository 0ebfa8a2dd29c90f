from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop._call.deadline import Deadline

if TYPE_CHECKING:
    from tests.support.clock import ManualClock


def test_remaining(clock: ManualClock) -> None:
    """What is left shrinks with the clock, and goes below nothing."""
    deadline = Deadline(10, lambda: clock.monotonic)
    clock.advance(4)
    assert deadline.remaining == 6
    clock.advance(7)
    assert deadline.remaining == -1


def test_text() -> None:
    """Messages name a deadline by its seconds."""
    assert str(Deadline(0.5, lambda: 0.0)) == "The deadline of 0.5 s"


def test_paused_deadline(clock: ManualClock) -> None:
    """Time between pause and resume does not count."""
    deadline = Deadline(10, lambda: clock.monotonic)
    clock.advance(1)
    deadline.pause()
    clock.advance(100)
    deadline.resume()

    assert deadline.remaining == 9


def test_deadline_within_another(clock: ManualClock) -> None:
    """The one that is over first holds, and is the one that is named."""
    whole = Deadline(10, lambda: clock.monotonic)
    clock.advance(7)
    long = Deadline(90, lambda: clock.monotonic, within=whole)
    short = Deadline(2, lambda: clock.monotonic, within=whole)

    assert (long.remaining, str(long)) == (3, "The deadline of 10 s")
    assert (short.remaining, str(short)) == (2, "The deadline of 2 s")


def test_paused_deadline_within_another(clock: ManualClock) -> None:
    """A pause gives no more time than the other one has."""
    whole = Deadline(10, lambda: clock.monotonic)
    page = Deadline(5, lambda: clock.monotonic, within=whole)
    page.pause()
    clock.advance(8)
    page.resume()

    assert page.remaining == 2
