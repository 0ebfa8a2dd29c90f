"""Stopping sessions: one that is named, or several in a run, and how far the run is."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from nimble_stop import exceptions
from nimble_stop._call.deadline import Deadline
from nimble_stop._cli.connect import explain_answer
from nimble_stop._cli.signals import Ending, ending_early
from nimble_stop._cli.terminal.session_tables import duration, volumes
from nimble_stop._cli.terminal.writing import printable
from nimble_stop._config.options import WAIT_SECONDS
from nimble_stop.models import StreamingSession, StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from nimble_stop import NimbleClient, StopResult
    from nimble_stop._cli.stopping.selection import Targets
    from nimble_stop._flows.threads import StopRun


@attrs.frozen(kw_only=True)
class StopOptions:
    """How sessions of a studio are stopped; ``resumed`` is whether the run id may not be new."""

    client: NimbleClient
    studio_id: str
    run_id: str
    resumed: bool
    retention: str | None
    wait: bool
    max_concurrency: int
    fail_fast: bool
    poll_seconds: float
    deadline: Deadline | None

    def token(self, session_id: str) -> str:
        from nimble_stop._flows.results import derived_token

        return derived_token(self.run_id, self.studio_id, session_id, self.retention)

    def explain(self, error: exceptions.NimbleStopError) -> None:
        """Say whose an answer is, and advise another run id where a session is READY again."""
        explain_answer(error, self.client)
        session = error.session if isinstance(error, exceptions.UnexpectedStateError) else None
        if self.resumed and session is not None and session.state == State.READY:
            error.add_note(
                f"Run {printable(self.run_id)} had stopped it before, and it was started again: "
                "stop it with another --run-id."
            )


@attrs.frozen
class OneSession:
    """A session that is named; ``on_read`` gets it each time that it was read."""

    client: NimbleClient
    studio_id: str
    session_id: str
    on_read: Callable[[StreamingSession], object] = lambda _: None

    def stop(self, options: StopOptions, say: Callable[[str], object]) -> None:
        """Stop the session, and wait for it if the command waits; ``say`` shows a line."""
        from nimble_stop._flows.waiting import has_stopped

        before = self.read_if_allowed()
        if before is not None:
            self.on_read(before)
        session = self.client.stop_session(
            self.studio_id,
            self.session_id,
            retention=options.retention,
            client_token=options.token(self.session_id),
        )
        if before is not None and before.state != State.READY:
            # Only a token that was used before stops a session that is not READY.
            has_stopped(session := before)
            name = printable(self.session_id)
            say(f"{name}: This run had stopped it before; nothing was done twice.")
        else:
            if before is not None and options.resumed:
                self.check_not_ready()
            self.on_read(session)
        if options.wait:
            limit = options.deadline or Deadline(WAIT_SECONDS, time.monotonic)
            self.wait_until_stopped(limit, options.poll_seconds, session)

    def read_if_allowed(self) -> StreamingSession | None:
        """Read the session; a caller that may stop one need not be allowed to read it."""
        try:
            return self.client.get_session(self.studio_id, self.session_id)
        except exceptions.ServiceError:
            return None

    def check_not_ready(self) -> None:
        """Read the session after its stop was answered, and raise an error if it is READY.

        The service moves a session to STOP_IN_PROGRESS before it answers its stop, and repeats its
        answer when the token comes again, whatever the session has become.
        """
        session = self.read_if_allowed()
        if session is not None and session.state == State.READY:
            raise exceptions.UnexpectedStateError(
                f"Session {session.session_id!r} is READY and was not stopped.", session=session
            )

    def wait_until_stopped(
        self, limit: Deadline, poll_seconds: float, known: StreamingSession | None
    ) -> None:
        """Wait until the session has stopped; ``known`` is what was read before, if it was."""
        from nimble_stop._flows.waiting import deadline_exceeded

        try:
            self.client.wait_until_stopped(
                self.studio_id,
                self.session_id,
                deadline=limit.seconds,
                poll_interval=poll_seconds,
                on_poll=self.on_read,
            )
        except exceptions.DeadlineExceededError as error:
            if error.session is not None or known is None:
                raise
            raise deadline_exceeded(limit, known) from error


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
        for session_id in session_ids:
            self.begun += 1
            yield session_id

    def add(self, result: StopResult) -> StopResult:
        if result.error is not None:
            self.failed += 1
            self.final += isinstance(
                result.error, (exceptions.StopFailedError, exceptions.UnexpectedStateError)
            )
            self.deadline_exceeded |= isinstance(result.error, exceptions.DeadlineExceededError)
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

    def rows(self, studio_id: str, run_id: str, seconds: float) -> dict[str, str | None]:
        retentions = (f"{number:,} {words}" for words, number in sorted(self.retentions.items()))
        repeated = f"{self.repeated:,} that this run had stopped before" if self.repeated else ""
        return {
            "studio": studio_id,
            "sessions": self.in_words,
            "volumes": ", ".join(retentions),
            "repeated": repeated,
            "took": duration(seconds),
            "run id": run_id,
        }


class Run:
    """A run over several sessions; `ending` says why it ended early, if it did."""

    def __init__(self, options: StopOptions, targets: Targets) -> None:
        self.targets = targets
        self.options = options
        self.ending = Ending()
        settled = len(targets.settled)
        self.counts = Counts(len(targets.to_stop) + settled, settled)

    @contextmanager
    def begin(self, say: Callable[[str], object]) -> Generator[Iterator[StopResult]]:
        """Stop the sessions, and give a result for each as it ends; ``say`` shows a line."""
        options = self.options
        with (
            options.client.stop_sessions(
                options.studio_id,
                self.counts.feed(self.targets.to_stop),
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
            if isinstance(result.error, exceptions.ConfigurationError):
                raise result.error
            listed = self.targets.to_stop[result.session_id]
            stopping = listed is not None and listed.state == State.STOP_IN_PROGRESS
            if stopping and isinstance(result.error, exceptions.ConflictException):
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
                error=found if isinstance(found, exceptions.NimbleStopError) else None,
                client_token=self.options.token(session_id),
                attempts=0,
                repeated=True,
            )

    def _checked(self, result: StopResult) -> StopResult:
        """Make sure that a stop was answered for what it did, and explain an error."""
        options = self.options
        again = result.session_id in self.targets.named_before and not result.repeated
        if result.error is None and again and not options.wait:
            # The answer may be an old one, but too recent to be recognised.
            try:
                OneSession(options.client, options.studio_id, result.session_id).check_not_ready()
            except exceptions.UnexpectedStateError as error:
                result = attrs.evolve(result, session=error.session, error=error, repeated=True)
        if result.error is not None:
            options.explain(result.error)
        return result

    def _taken_over(self, result: StopResult) -> StopResult:
        """Accept a stop of another run, and wait for it if the command waits."""

        def end_if_interrupted(_: StreamingSession) -> None:
            if self.ending.interrupted:
                raise KeyboardInterrupt

        options = self.options
        if self.ending.interrupted or not options.wait:
            return result
        try:
            session = options.client.wait_until_stopped(
                options.studio_id,
                result.session_id,
                poll_interval=options.poll_seconds,
                on_poll=end_if_interrupted,
            )
        except KeyboardInterrupt:
            return result
        except exceptions.NimbleStopError as error:
            return attrs.evolve(result, error=error)
        return attrs.evolve(result, session=session)
