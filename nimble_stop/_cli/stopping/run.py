"""Stopping several sessions in one run: what is sent, what ends it early, and how far it is."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.signals import Ending, ending_early
from nimble_stop._cli.stopping.single import OneSession, explain
from nimble_stop._cli.terminal.text import duration, printable, volumes
from nimble_stop.exceptions import (
    ConfigurationError,
    ConflictException,
    DeadlineExceededError,
    NimbleStopError,
    StopFailedError,
    UnexpectedStateError,
)
from nimble_stop.models import StreamingSession, StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from nimble_stop import NimbleClient, StopResult
    from nimble_stop._cli.stopping.selection import Targets
    from nimble_stop._cli.stopping.single import StopOptions
    from nimble_stop._flows.threads import StopRun


@attrs.define
class Counts:
    """How many sessions of a run there are, have begun, and ended in which way.

    Those that no stop is sent for have begun, and `final` failures are those that no repetition of
    the run can mend.
    """

    total: int
    begun: int = 0
    failed: int = 0
    final: int = 0
    repeated: int = 0
    deadline_exceeded: bool = False
    states: Counter[str] = attrs.field(factory=Counter[str])
    retentions: Counter[str] = attrs.field(factory=Counter[str])

    def feed(self, session_ids: Iterable[str]) -> Iterator[str]:
        """Count ids as begun when they are taken."""
        for session_id in session_ids:
            self.begun += 1
            yield session_id

    def add(self, result: StopResult) -> StopResult:
        """Count a result, and give it on."""
        if result.error is not None:
            self.failed += 1
            self.final += isinstance(result.error, (StopFailedError, UnexpectedStateError))
            self.deadline_exceeded |= isinstance(result.error, DeadlineExceededError)
        else:
            session = result.session or StreamingSession()
            self.states[printable(session.state or "UNKNOWN")] += 1
            self.retentions[volumes(session)] += 1
            self.repeated += result.repeated
        return result

    @property
    def stopped(self) -> int:
        return self.states.total()

    @property
    def ended(self) -> int:
        return self.failed + self.stopped

    @property
    def in_words(self) -> str:
        states = (f"{number:,} {state}" for state, number in sorted(self.states.items()))
        return ", ".join(part for part in (*states, self.shortfall) if part)

    @property
    def shortfall(self) -> str:
        """How many were not stopped, and why."""
        counts = (
            (self.failed, "failed"),
            (self.begun - self.ended, "under way"),
            (self.total - self.begun, "not begun"),
        )
        return ", ".join(f"{number:,} {name}" for number, name in counts if number)

    def rows(self, studio_id: str, run_id: str, seconds: float) -> list[tuple[str, str]]:
        retentions = (f"{number:,} {words}" for words, number in sorted(self.retentions.items()))
        repeated = f"{self.repeated:,} that this run had stopped before" if self.repeated else ""
        return [
            ("studio", printable(studio_id)),
            ("sessions", self.in_words),
            ("volumes", ", ".join(retentions)),
            ("repeated", repeated),
            ("took", duration(seconds)),
            ("run id", printable(run_id)),
        ]


class Run:
    """A run over several sessions; `ending` says why it ended early, if it did."""

    def __init__(self, client: NimbleClient, targets: Targets, options: StopOptions) -> None:
        self.targets = targets
        self.options = options
        self.ending = Ending()
        self.counts = Counts(len(targets), len(targets.settled))
        self._client = client

    @contextmanager
    def begin(self, say: Callable[[str], object]) -> Generator[Iterator[StopResult]]:
        """Stop the sessions, and give a result for each as it ends; ``say`` shows a line."""
        options = self.options
        with (
            self._client.stop_sessions(
                self.targets.studio_id,
                self.counts.feed(self.targets.session_ids),
                retention=options.retention,
                run_id=options.run_id,
                max_concurrency=options.max_concurrency,
                wait=options.wait,
            ) as stops,
            ending_early(self.ending, stops.cancel, options.deadline, say),
        ):
            yield map(self.counts.add, self._results(stops))

    def _results(self, stops: StopRun) -> Iterator[StopResult]:
        yield from self._settled()
        under_way: list[StopResult] = []
        for result in stops:
            if isinstance(result.error, ConfigurationError):
                raise result.error
            listed = self.targets.listed.get(result.session_id)
            stopping = listed is not None and listed.state == State.STOP_IN_PROGRESS
            if stopping and isinstance(result.error, ConflictException):
                # It was refused because another one was under way when the run began.
                under_way.append(attrs.evolve(result, session=listed, error=None))
                continue
            checked = self._checked(result)
            yield checked
            if checked.error is not None and self.options.fail_fast:
                stops.cancel()
        for result in under_way:
            yield self._taken_over(result)

    def _settled(self) -> Iterator[StopResult]:
        """Give the results of the sessions that no stop is sent for."""
        from nimble_stop import StopResult

        for session_id, found in self.targets.settled.items():
            yield StopResult(
                session_id=session_id,
                session=found if isinstance(found, StreamingSession) else None,
                error=found if isinstance(found, NimbleStopError) else None,
                client_token=self.options.token(self.targets.studio_id, session_id),
                attempts=0,
                repeated=True,
            )

    def _checked(self, result: StopResult) -> StopResult:
        """Make sure that a stop was answered for what it did, and explain an error."""
        again = result.session_id in self.targets.named_before and not result.repeated
        if result.error is None and again and not self.options.wait:
            # The answer may be an old one, but too recent to be recognised.
            named = OneSession(self._client, self.targets.studio_id, result.session_id)
            error = named.ready_again()
            if error is not None:
                result = attrs.evolve(result, session=error.session, error=error, repeated=True)
        if result.error is not None:
            explain(result.error, self._client, self.options)
        return result

    def _taken_over(self, result: StopResult) -> StopResult:
        """Accept a stop of another run, and wait for it if the command waits."""

        def end_if_interrupted(_: StreamingSession) -> None:
            if self.ending.interrupted:
                raise KeyboardInterrupt

        if self.ending.interrupted or not self.options.wait:
            return result
        try:
            session = self._client.wait_until_stopped(
                self.targets.studio_id,
                result.session_id,
                poll_interval=self.options.poll_seconds,
                on_poll=end_if_interrupted,
            )
        except KeyboardInterrupt:
            return result
        except NimbleStopError as error:
            return attrs.evolve(result, error=error)
        return attrs.evolve(result, session=session)
