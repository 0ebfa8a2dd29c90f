"""Stopping several sessions in one run: what is sent, and what ends it early."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.connect import explain_answer
from nimble_stop._cli.signals import Ending, ending_early
from nimble_stop._cli.stopping.single import ready_again
from nimble_stop.exceptions import ConfigurationError, ConflictException, NimbleStopError
from nimble_stop.models import StreamingSession, StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from nimble_stop import NimbleClient, StopResult
    from nimble_stop._cli.stopping.selection import Targets
    from nimble_stop._cli.stopping.single import StopOptions
    from nimble_stop._flows.threads import StopRun


@attrs.frozen
class Run:
    """A run over several sessions.

    Args:
        client: Sends the requests.
        targets: The sessions.
        options: How they are stopped.
        ending: Why the run ended early, if it did.
    """

    client: NimbleClient
    targets: Targets
    options: StopOptions
    ending: Ending = attrs.field(factory=Ending)

    @contextmanager
    def begin(
        self, feed: Callable[[Iterable[str]], Iterable[str]], say: Callable[[str], object]
    ) -> Generator[Iterator[StopResult]]:
        """Stop the sessions, and give a result for each as it ends.

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
            ) as stops,
            ending_early(self.ending, stops.cancel, options.deadline, say),
        ):
            yield self._results(stops)

    def _results(self, stops: StopRun) -> Iterator[StopResult]:
        yield from self._settled()
        under_way: list[StopResult] = []
        for result in stops:
            if isinstance(result.error, ConfigurationError):
                raise result.error
            if self._is_another_ones(result):
                under_way.append(result)
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
            error = ready_again(self.client, self.targets.studio_id, result.session_id)
            if error is not None:
                result = attrs.evolve(result, session=error.session, error=error, repeated=True)
        if result.error is not None:
            self.options.run_id.explain(result.error)
            explain_answer(result.error, self.client)
        return result

    def _is_another_ones(self, result: StopResult) -> bool:
        """Whether a stop was refused because another one was under way when the run began."""
        session = self.targets.listed.get(result.session_id)
        under_way = session is not None and session.state == State.STOP_IN_PROGRESS
        return under_way and isinstance(result.error, ConflictException)

    def _taken_over(self, result: StopResult) -> StopResult:
        """Accept a stop of another run, and wait for it if the command waits."""
        session = self.targets.listed[result.session_id]
        error: NimbleStopError | None = None
        try:
            if self.options.wait and not self.ending.interrupted:
                session = self.client.wait_until_stopped(
                    self.targets.studio_id,
                    result.session_id,
                    poll_interval=self.options.poll_seconds,
                    on_poll=self._end_if_interrupted,
                )
        except _InterruptedWaitError:
            pass
        except NimbleStopError as failure:
            error = failure
        return attrs.evolve(result, session=session, error=error)

    def _end_if_interrupted(self, session: StreamingSession) -> None:
        del session
        if self.ending.interrupted:
            raise _InterruptedWaitError


class _InterruptedWaitError(Exception):
    """The person does not want to wait any longer."""
