from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import nimble_stop
from nimble_stop._cli.stopping.live import RunProgress
from nimble_stop._cli.stopping.run import Counts
from tests._cli.support import make_result

if TYPE_CHECKING:
    from tests.support.clock import ManualClock


class ManualRun:
    """A run with a clock that the test moves, and its display."""

    def __init__(self, total: int, clock: ManualClock) -> None:
        self.counts = Counts(total)
        self._progress = RunProgress(self.counts, lambda: clock.monotonic)

    @property
    def pace(self) -> str:
        """What the display says after a refresh."""
        _, pace, _ = self._progress.get_renderables()
        return str(pace)

    @property
    def seconds_left(self) -> float | None:
        """The estimate in the pace."""
        found = re.search(r"about (?:(\d+) min )?([\d.]+) s left", self.pace)
        return None if found is None else 60 * int(found[1] or 0) + float(found[2])


def test_the_pace_shows_how_far_and_how_fast(clock: ManualClock) -> None:
    """With nothing done yet there is no rate, and from a few sessions no estimate."""
    run = ManualRun(4, clock)
    assert run.pace == "0 of 4 in 0.0 s"
    clock.advance(2)
    run.counts.add(make_result())
    assert run.pace == "1 of 4 in 2.0 s, 0.5 a second"
    for _ in range(3):
        run.counts.add(make_result())
    assert run.pace == "4 of 4 in 2.0 s, 2.0 a second"


def test_early_failures_say_nothing_about_the_time_left(clock: ManualClock) -> None:
    """Eight sessions that fail after long retries do not make the others slower."""
    run = ManualRun(200, clock)
    ids = run.counts.feed(str(number) for number in range(200))
    waiting = [next(ids) for _ in range(8)]
    clock.advance(5)
    for session_id in waiting:
        run.counts.add(make_result(session_id, error=nimble_stop.ThrottlingException("slow down")))
    assert run.seconds_left is None
    # From here on each takes 0.4 s, eight at a time.
    checked = 0
    while waiting := list(itertools.islice(ids, 8)):
        clock.advance(0.4)
        for session_id in waiting:
            run.counts.add(make_result(session_id))
        estimate = run.seconds_left
        if estimate is not None:
            real = 0.4 * (200 - run.counts.ended) / 8
            assert 0.8 * real <= estimate <= 1.2 * real
            checked += 1
    assert checked > 15
