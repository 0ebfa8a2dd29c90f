"""How a session is stopped, and waited for: one that is named, with one deadline for all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.connect import explain_answer
from nimble_stop._cli.terminal.text import printable
from nimble_stop._config.options import WAIT_SECONDS
from nimble_stop.exceptions import DeadlineExceededError, ServiceError, UnexpectedStateError
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop import NimbleClient
    from nimble_stop._call.deadline import Deadline
    from nimble_stop.exceptions import NimbleStopError
    from nimble_stop.models import StreamingSession


@attrs.frozen(kw_only=True)
class StopOptions:
    """How sessions are stopped; ``resumed`` is whether an earlier run may have had the run id."""

    run_id: str
    resumed: bool
    retention: str | None
    wait: bool
    max_concurrency: int
    fail_fast: bool
    poll_seconds: float
    deadline: Deadline | None

    def token(self, studio_id: str, session_id: str) -> str:
        from nimble_stop._flows.results import derived_token

        return derived_token(self.run_id, studio_id, session_id, self.retention)


@attrs.frozen
class OneSession:
    """A session that is named; ``on_read`` gets it each time that it was read."""

    client: NimbleClient
    studio_id: str
    session_id: str
    on_read: Callable[[StreamingSession], object] = lambda _: None

    def stop(self, options: StopOptions, say: Callable[[str], object]) -> StreamingSession:
        """Stop the session and give it as it was last read."""
        from nimble_stop._flows.waiting import has_stopped

        before = self.read_if_allowed()
        if before is not None:
            self.on_read(before)
        session = self.client.stop_session(
            self.studio_id,
            self.session_id,
            retention=options.retention,
            client_token=options.token(self.studio_id, self.session_id),
        )
        if before is not None and before.state != State.READY:
            # Only a token that was used before stops a session that is not READY.
            has_stopped(session := before)
            name = printable(self.session_id)
            say(f"{name}: This run had stopped it before; nothing was done twice.")
        else:
            error = self.ready_again() if before is not None and options.resumed else None
            if error is not None:
                raise error
            self.on_read(session)
        if not options.wait:
            return session
        return self.wait_until_stopped(options.deadline, options.poll_seconds, session)

    def read_if_allowed(self) -> StreamingSession | None:
        """Read the session; a caller that may stop one need not be allowed to read it."""
        try:
            return self.client.get_session(self.studio_id, self.session_id)
        except ServiceError:
            return None

    def ready_again(self) -> UnexpectedStateError | None:
        """Read the session after its stop was answered; an error if it is READY all the same.

        The service moves a session to STOP_IN_PROGRESS before it answers its stop, and repeats its
        answer when the token comes again, whatever the session has become.
        """
        session = self.read_if_allowed()
        if session is None or session.state != State.READY:
            return None
        return UnexpectedStateError(
            f"Session {session.session_id!r} is READY and was not stopped.", session=session
        )

    def wait_until_stopped(
        self, deadline: Deadline | None, poll_seconds: float, known: StreamingSession | None
    ) -> StreamingSession:
        """Wait until the session has stopped; ``known`` is what was read before, if it was."""
        seconds = WAIT_SECONDS if deadline is None else deadline.seconds
        try:
            return self.client.wait_until_stopped(
                self.studio_id,
                self.session_id,
                deadline=seconds,
                poll_interval=poll_seconds,
                on_poll=self.on_read,
            )
        except DeadlineExceededError as error:
            if error.session is not None or known is None:
                raise
            over = f"The deadline of {seconds:g} s is over and the session has not stopped."
            last = f"It was {known.state} when last read."
            raise DeadlineExceededError(f"{over} {last}", session=known) from error


def explain(error: NimbleStopError, client: NimbleClient, options: StopOptions) -> None:
    """Say whose an answer is, and advise another run id where a session is READY again."""
    explain_answer(error, client)
    session = error.session if isinstance(error, UnexpectedStateError) else None
    if options.resumed and session is not None and session.state == State.READY:
        error.add_note(
            f"Run {printable(options.run_id)} had stopped it before, and it was started again: "
            "stop it with another --run-id."
        )
