"""How many sessions of a run are in which state, in numbers and in words."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from nimble_stop._cli.terminal.progress import Snapshot
from nimble_stop._cli.terminal.text import duration, printable, volumes
from nimble_stop._cli.terminal.wording import advice, headline
from nimble_stop.exceptions import DeadlineExceededError
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nimble_stop import StopResult


class Counts:
    """How far a run is.

    Attributes:
        total: How many sessions there are.
        begun: How many stops have begun.
        states: How many ended in each state.
        failed: How many failed.
        retentions: What happens to how many sessions' volumes.
        repeated: How many an earlier run with the same id had stopped before.
        deadline_exceeded: Whether one of the failures is that the time was over.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.begun = 0
        self.states: Counter[str] = Counter()
        self.failed = 0
        self.retentions: Counter[str] = Counter()
        self.repeated = 0
        self.deadline_exceeded = False
        self._clock = clock
        self._started = clock()

    def feed(self, session_ids: Iterable[str]) -> Iterator[str]:
        """Give ids, counting them as begun when they are taken."""
        for session_id in session_ids:
            self.begun += 1
            yield session_id

    def add(self, result: StopResult) -> None:
        """Count a result."""
        if result.error is not None:
            self.failed += 1
            self.deadline_exceeded |= isinstance(result.error, DeadlineExceededError)
            return
        session = result.session or StreamingSession()
        self.states[printable(session.state or "UNKNOWN")] += 1
        self.retentions[volumes(session)] += 1
        self.repeated += result.repeated

    @property
    def ended(self) -> int:
        """How many have ended, well or not."""
        return self.failed + self.states.total()

    @property
    def left(self) -> int:
        """How many have not begun."""
        return self.total - self.begun

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return self._clock() - self._started

    @property
    def snapshot(self) -> Snapshot:
        """How far the run is now."""
        return Snapshot(self.total, self.ended, self.pace, self.in_words)

    @property
    def pace(self) -> str:
        """How far the run is, how fast, and how long it will still take at that rate."""
        text = f"{self.ended:,} of {self.total:,} in {duration(self.seconds)}"
        if not self.ended or self.seconds <= 0:
            return text
        rate = self.ended / self.seconds
        remaining = (self.total - self.ended) / rate
        end = f", about {duration(remaining)} left" if self.ended < self.total else ""
        return f"{text}, {rate:.1f} a second{end}"

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

    def rows(self, studio_id: str, run_id: str) -> Iterator[tuple[str, str]]:
        """Describe the whole run, a label and a text each."""
        yield "studio", printable(studio_id)
        yield "sessions", self.in_words
        yield (
            "volumes",
            ", ".join(f"{number:,} {words}" for words, number in sorted(self.retentions.items())),
        )
        yield (
            "repeated",
            f"{self.repeated:,} that this run had stopped before" * bool(self.repeated),
        )
        yield "took", duration(self.seconds)
        yield "run id", printable(run_id)


def result_line(result: StopResult) -> str:
    """Describe one session's result on one line."""
    name = printable(result.session_id)
    if result.error is not None:
        return f"{name}: failed: {headline(result.error)} {advice(result.error)}"
    session = result.session or StreamingSession()
    again = ", by this run before" if result.repeated else ""
    return f"{name}: {printable(session.state or 'UNKNOWN')}{again}, volumes {volumes(session)}"
