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
