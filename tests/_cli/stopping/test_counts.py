from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import nimble_stop
from nimble_stop._cli.stopping.counts import Counts
from tests._cli.support import make_result

if TYPE_CHECKING:
    from tests.support.clock import ManualClock


def test_every_session_is_counted(clock: ManualClock) -> None:
    """Every session is in exactly one of the counts, at any time."""
    counts = Counts(10, clock=lambda: clock.monotonic)
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


def test_the_pace_shows_how_far_and_how_fast(clock: ManualClock) -> None:
    """With nothing done yet there is no rate, and from a few sessions no estimate."""
    counts = Counts(4, clock=lambda: clock.monotonic)
    assert counts.pace == "0 of 4 in 0.0 s"
    clock.advance(2)
    counts.add(make_result())
    assert counts.pace == "1 of 4 in 2.0 s, 0.5 a second"
    for _ in range(3):
        counts.add(make_result())
    assert counts.pace == "4 of 4 in 2.0 s, 2.0 a second"


def seconds_left(counts: Counts) -> float | None:
    """Read the estimate out of the pace."""
    found = re.search(r"about (?:(\d+) min )?([\d.]+) s left", counts.pace)
    return None if found is None else 60 * int(found[1] or 0) + float(found[2])


def test_early_failures_say_nothing_about_the_time_left(clock: ManualClock) -> None:
    """Eight sessions that fail after long retries do not make the others slower."""
    counts = Counts(200, clock=lambda: clock.monotonic)
    ids = counts.feed(str(number) for number in range(200))
    waiting = [next(ids) for _ in range(8)]
    clock.advance(5)
    for session_id in waiting:
        counts.add(make_result(session_id, error=nimble_stop.ThrottlingException("slow down")))
    assert seconds_left(counts) is None
    # From here on each takes 0.4 s, eight at a time.
    waiting = [next(ids) for _ in range(8)]
    checked = 0
    while waiting:
        clock.advance(0.4)
        for session_id in waiting:
            counts.add(make_result(session_id))
        waiting = list(itertools.islice(ids, 8))
        estimate = seconds_left(counts)
        if estimate is not None:
            real = 0.4 * (counts.left / 8 + 1)
            assert 0.4 * real <= estimate <= 2.5 * real
            checked += 1
    assert checked > 15


def test_sessions_that_are_all_under_way_take_as_long_as_the_others_did(
    clock: ManualClock,
) -> None:
    """In a run that waits, results come late and in bursts; the time of one says when."""
    counts = Counts(100, clock=lambda: clock.monotonic)
    ids = list(counts.feed(str(number) for number in range(100)))
    clock.advance(10)
    for session_id in ids[:20]:
        counts.add(make_result(session_id))
    assert seconds_left(counts) == 0
    late = Counts(100, clock=lambda: clock.monotonic)
    ids.clear()
    for session_id in late.feed(str(number) for number in range(100)):
        ids.append(session_id)
        clock.advance(0.1)
    for session_id in ids[:5]:
        late.add(make_result(session_id))
    assert 9 <= (seconds_left(late) or 0) <= 10


def test_the_summary_shows_the_whole(clock: ManualClock) -> None:
    """Studio, counts, volumes, what was repeated, the time, and the run's id."""
    counts = Counts(2, clock=lambda: clock.monotonic)
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


def test_what_no_stop_is_sent_for_has_begun_already(clock: ManualClock) -> None:
    """It is neither under way nor waiting to begin once its result is there."""
    counts = Counts(2, settled=1, clock=lambda: clock.monotonic)
    assert counts.in_words == "1 under way, 1 not begun"
    counts.add(make_result(repeated=True))
    assert counts.in_words == "1 STOPPED, 1 not begun"


def test_failures_that_no_repetition_mends_are_counted() -> None:
    """A stop that failed, and a session that was started again, stay as they are."""
    counts = Counts(3)
    for error in (
        nimble_stop.StopFailedError("x"),
        nimble_stop.UnexpectedStateError("x"),
        nimble_stop.ThrottlingException("x"),
    ):
        counts.add(make_result(error=error))
    assert (counts.failed, counts.final) == (3, 2)
