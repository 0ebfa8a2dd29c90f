from __future__ import annotations

from typing import TYPE_CHECKING

import nimble_stop
from nimble_stop._cli.stopping.counts import Counts, result_line
from tests._cli.support import make_result

if TYPE_CHECKING:
    from tests.support.clock import ManualClock


def test_every_session_is_counted(clock: ManualClock) -> None:
    """Every session is in exactly one of the counts, at any time."""
    counts = Counts(10, lambda: clock.monotonic)
    assert counts.in_words == "10 not begun"
    ids = counts.feed(str(number) for number in range(10))
    for _ in range(6):
        next(ids)
    counts.add(make_result())
    counts.add(make_result(state="STOP_IN_PROGRESS", repeated=True))
    counts.add(make_result(state=None))
    counts.add(make_result(error=nimble_stop.ConflictException("busy")))
    assert counts.in_words == (
        "1 STOPPED, 1 STOP_IN_PROGRESS, 1 UNKNOWN, 1 failed, 2 under way, 4 not begun"
    )
    assert (counts.ended, counts.left, counts.repeated) == (4, 4, 1)
    assert not counts.deadline_exceeded
    counts.add(make_result(error=nimble_stop.DeadlineExceededError("late")))
    assert counts.deadline_exceeded


def test_a_result_without_session_and_error_is_told_too() -> None:
    """A session that was never read counts as ended."""
    bare = nimble_stop.StopResult(
        session_id="x", session=None, error=None, client_token=None, attempts=0
    )
    counts = Counts(1)
    list(counts.feed(["x"]))
    counts.add(bare)
    assert counts.in_words == "1 UNKNOWN"
    assert result_line(bare) == "x: UNKNOWN, volumes not given by the service"


def test_the_pace_tells_rate_and_time_left(clock: ManualClock) -> None:
    """The rate so far is taken for the rest; with nothing done yet there is none."""
    counts = Counts(4, lambda: clock.monotonic)
    assert counts.pace == "0 of 4 in 0.0 s"
    clock.advance(2)
    counts.add(make_result())
    assert counts.pace == "1 of 4 in 2.0 s, 0.5 a second, about 6.0 s left"
    for _ in range(3):
        counts.add(make_result())
    assert counts.pace == "4 of 4 in 2.0 s, 2.0 a second"


def test_the_summary_tells_the_whole(clock: ManualClock) -> None:
    """Studio, counts, volumes, what was repeated, the time, and the run's id."""
    counts = Counts(2, lambda: clock.monotonic)
    list(counts.feed(["a", "b"]))
    counts.add(make_result())
    counts.add(make_result(state="STOP_IN_PROGRESS", repeated=True))
    clock.advance(61)
    assert dict(counts.rows("studio-1", "run-1")) == {
        "studio": "studio-1",
        "sessions": "1 STOPPED, 1 STOP_IN_PROGRESS",
        "volumes": "1 retained, 1 will be retained",
        "repeated": "1 that this run had stopped before",
        "took": "1 min 1 s",
        "run id": "run-1",
    }
    assert dict(Counts(0).rows("s", "r"))["repeated"] == ""


def test_a_result_is_a_line() -> None:
    """A person reads the state and the volumes, or what went wrong and what to do."""
    assert result_line(make_result("x\x1b")) == "x\\x1b: STOPPED, volumes retained"
    assert result_line(make_result(repeated=True)) == (
        "artist-1: STOPPED, by this run before, volumes retained"
    )
    assert result_line(make_result(error=nimble_stop.ConflictException("busy"))) == (
        f"artist-1: failed: ConflictException: busy. {nimble_stop.ConflictException.advice}"
    )
