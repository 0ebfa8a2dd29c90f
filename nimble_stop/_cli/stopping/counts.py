"""How many sessions of a run are in which state, in numbers and in words."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.terminal.text import duration, printable, volumes
from nimble_stop.exceptions import DeadlineExceededError, StopFailedError, UnexpectedStateError
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nimble_stop import StopResult

# From fewer sessions nothing is to be learned about the others.
_ENOUGH: Final = 5


class Counts:
    """How far a run is.

    Attributes:
        total: How many sessions there are.
        begun: How many stops have begun, or were never needed.
        states: How many ended in each state.
        failed: How many failed.
        final: How many of those no repetition of the run can stop.
        retentions: What happens to how many sessions' volumes.
        repeated: How many an earlier run with the same id had stopped before.
        deadline_exceeded: Whether one of the failures is that the time was over.

    Args:
        total: How many sessions there are.
        settled: How many of them no stop is sent for.
        clock: Seconds on a clock that never goes back.
    """

    def __init__(
        self, total: int, settled: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self.begun = settled
        self.states: Counter[str] = Counter()
        self.failed = 0
        self.final = 0
        self.retentions: Counter[str] = Counter()
        self.repeated = 0
        self.deadline_exceeded = False
        self._clock = clock
        self._started = clock()
        self._time_left = _TimeLeft()

    def feed(self, session_ids: Iterable[str]) -> Iterator[str]:
        """Give ids, counting them as begun when they are taken."""
        for session_id in session_ids:
            self.begun += 1
            self._time_left.begin(session_id, self._clock())
            yield session_id

    def add(self, result: StopResult) -> None:
        """Count a result."""
        if result.error is not None:
            self.failed += 1
            self.final += isinstance(result.error, (StopFailedError, UnexpectedStateError))
            self.deadline_exceeded |= isinstance(result.error, DeadlineExceededError)
            return
        self._time_left.succeed(result.session_id, self._clock())
        session = result.session or StreamingSession()
        self.states[printable(session.state or "UNKNOWN")] += 1
        self.retentions[volumes(session)] += 1
        self.repeated += result.repeated

    @property
    def stopped(self) -> int:
        """How many have ended well."""
        return self.states.total()

    @property
    def ended(self) -> int:
        """How many have ended, well or not."""
        return self.failed + self.stopped

    @property
    def left(self) -> int:
        """How many have not begun."""
        return self.total - self.begun

    @property
    def pace(self) -> str:
        """How far the run is, how fast, and how long it may still take."""
        text = f"{self.ended:,} of {self.total:,} in {duration(self._seconds)}"
        if not self.ended or self._seconds <= 0:
            return text
        left = self._time_left.estimate(self.left, self._clock())
        end = "" if self.ended == self.total or left is None else f", about {duration(left)} left"
        return f"{text}, {self.ended / self._seconds:.1f} a second{end}"

    @property
    def in_words(self) -> str:
        """How many are in which state."""
        states = (f"{number:,} {state}" for state, number in sorted(self.states.items()))
        return ", ".join(part for part in (*states, self.shortfall) if part)

    @property
    def shortfall(self) -> str:
        """How many were not stopped, and why."""
        counts = (
            (self.failed, "failed"),
            (self.begun - self.ended, "under way"),
            (self.left, "not begun"),
        )
        return ", ".join(f"{number:,} {name}" for number, name in counts if number)

    def rows(self, studio_id: str, run_id: str) -> list[tuple[str, str]]:
        """Describe the whole run, a label and a text each."""
        retentions = (f"{number:,} {words}" for words, number in sorted(self.retentions.items()))
        repeated = f"{self.repeated:,} that this run had stopped before" if self.repeated else ""
        return [
            ("studio", printable(studio_id)),
            ("sessions", self.in_words),
            ("volumes", ", ".join(retentions)),
            ("repeated", repeated),
            ("took", duration(self._seconds)),
            ("run id", printable(run_id)),
        ]

    @property
    def _seconds(self) -> float:
        return self._clock() - self._started


class _TimeLeft:
    """An estimate of the time that a run still takes.

    Failures say nothing about it: some come at once, others only after many attempts. So it is
    made of what has succeeded: how fast sessions have begun since then, and how long one takes.
    """

    def __init__(self) -> None:
        self._begun_at: dict[str, float] = {}
        self._last_begin = 0.0
        self._successes = 0
        self._success_seconds = 0.0
        self._first_success = 0.0
        self._begun_since = 0

    def begin(self, session_id: str, now: float) -> None:
        self._begun_at[session_id] = self._last_begin = now
        self._begun_since += bool(self._successes) and now > self._first_success

    def succeed(self, session_id: str, now: float) -> None:
        began = self._begun_at.pop(session_id, None)
        if began is not None:
            self._first_success = self._first_success if self._successes else now
            self._successes += 1
            self._success_seconds += now - began

    def estimate(self, not_begun: int, now: float) -> float | None:
        """Give the seconds left; None while too little is known."""
        if self._successes < _ENOUGH or (not_begun and not self._begun_since):
            return None
        one = self._success_seconds / self._successes
        if not not_begun:
            return max(one - (now - self._last_begin), 0.0)
        return not_begun * (now - self._first_success) / self._begun_since + one
