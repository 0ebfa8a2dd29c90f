"""Stopping several sessions in one run: what is sent, and what ends it early."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.connect import explain_answer
from nimble_stop._cli.signals import ending_early
from nimble_stop._cli.stopping.resuming import still_ready
from nimble_stop.exceptions import (
    ConfigurationError,
    ConflictException,
    NimbleStopError,
    ServiceError,
)
from nimble_stop.models import StreamingSession, StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from nimble_stop import NimbleClient, StopResult
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._cli.signals import Ending
    from nimble_stop._cli.stopping.resuming import RunId
    from nimble_stop._cli.stopping.selection import Targets


@attrs.frozen(kw_only=True)
class RunOptions:
    """How sessions are stopped.

    Args:
        run_id: What the client tokens are derived from.
        retention: What is to happen to the volumes.
        wait: Whether to wait until they have stopped.
        max_concurrency: How many stops may be in flight.
        fail_fast: Whether the first failure keeps further stops from beginning.
        poll_seconds: The longest time between two polls of a wait.
        deadline: When everything must be over, or None.
    """

    run_id: RunId
    retention: str | None
    wait: bool
    max_concurrency: int
    fail_fast: bool
    poll_seconds: float
    deadline: Deadline | None


@attrs.frozen
class Run:
    """A run that is going on.

    Args:
        results: One result for each session, as it ends.
        ending: Why the run ended early, if it did.
    """

    results: Iterator[StopResult]
    ending: Ending


@attrs.frozen
class ManyStops:
    """A run that can be begun.

    Args:
        client: Sends the requests.
        targets: The sessions.
        options: How they are stopped.
    """

    client: NimbleClient
    targets: Targets
    options: RunOptions

    @contextmanager
    def begin(
        self, feed: Callable[[Iterable[str]], Iterable[str]], say: Callable[[str], object]
    ) -> Generator[Run]:
        """Stop the sessions.

        Args:
            feed: Gives the ids on, as they are taken.
            say: Shows a line of text to the person.

        Raises:
            ConfigurationError: There are no credentials; nothing was sent.
        """
        options = self.options
        with (
            self.client.stop_sessions(
                self.targets.studio_id,
                feed(self.targets.session_ids),
                retention=options.retention,
                run_id=options.run_id.text,
                max_concurrency=options.max_concurrency,
                wait=options.wait,
            ) as run,
            ending_early(run.cancel, options.deadline, say) as ending,
        ):
            yield Run(self._results(run, run.cancel, ending), ending)

    def _results(
        self, run: Iterable[StopResult], cancel: Callable[[], object], ending: Ending
    ) -> Iterator[StopResult]:
        yield from self._settled()
        under_way: list[StopResult] = []
        for result in run:
            if isinstance(result.error, ConfigurationError):
                raise result.error
            if self._is_another_ones(result):
                under_way.append(result)
                continue
            checked = self._checked(result)
            yield checked
            if checked.error is not None and self.options.fail_fast:
                cancel()
        for result in under_way:
            yield self._taken_over(result, ending)

    def _settled(self) -> Iterator[StopResult]:
        """Give the results of the sessions that no stop is sent for."""
        from nimble_stop import StopResult
        from nimble_stop._flows.results import derived_token

        options, studio_id = self.options, self.targets.studio_id
        for session_id, found in self.targets.settled.items():
            yield StopResult(
                session_id=session_id,
                session=found if isinstance(found, StreamingSession) else None,
                error=found if isinstance(found, NimbleStopError) else None,
                client_token=derived_token(
                    options.run_id.text, studio_id, session_id, options.retention
                ),
                attempts=0,
                repeated=True,
            )

    def _checked(self, result: StopResult) -> StopResult:
        """Make sure that a stop was answered for what it did, and explain an error."""
        again = result.session_id in self.targets.named_before and not result.repeated
        if result.error is None and again and not self.options.wait:
            result = self._read_again(result)
        if result.error is not None:
            self.options.run_id.explain(result.error)
            explain_answer(result.error, self.client)
        return result

    def _read_again(self, result: StopResult) -> StopResult:
        """Read a session whose answer may be an old one, but too recent to be recognised."""
        try:
            session = self.client.get_session(self.targets.studio_id, result.session_id)
        except ServiceError:
            # A caller that may stop a session need not be allowed to read it.
            return result
        if session.state != State.READY:
            return result
        return attrs.evolve(result, session=session, error=still_ready(session), repeated=True)

    def _is_another_ones(self, result: StopResult) -> bool:
        """Whether a stop was refused because another one was under way when the run began."""
        session = self.targets.listed.get(result.session_id)
        under_way = session is not None and session.state == State.STOP_IN_PROGRESS
        return under_way and isinstance(result.error, ConflictException)

    def _taken_over(self, result: StopResult, ending: Ending) -> StopResult:
        """Accept a stop of another run, and wait for it if the command waits."""
        session = self.targets.listed[result.session_id]

        def end_if_interrupted(session: StreamingSession) -> None:
            del session
            if ending.interrupted:
                raise _InterruptedWaitError

        try:
            if self.options.wait and not ending.interrupted:
                session = self.client.wait_until_stopped(
                    self.targets.studio_id,
                    result.session_id,
                    poll_interval=self.options.poll_seconds,
                    on_poll=end_if_interrupted,
                )
        except _InterruptedWaitError:
            pass
        except NimbleStopError as error:
            return attrs.evolve(result, session=session, error=error)
        return attrs.evolve(result, session=session, error=None)


class _InterruptedWaitError(Exception):
    """The person does not want to wait any longer."""
