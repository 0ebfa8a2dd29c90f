"""Stopping one session that is named, and waiting until it has stopped: one deadline for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.parameters import remaining_seconds
from nimble_stop._cli.terminal.text import duration, printable
from nimble_stop._cli.terminal.writing import note
from nimble_stop._config.options import WAIT_SECONDS
from nimble_stop.exceptions import DeadlineExceededError, NimbleStopError, ServiceError
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop import NimbleClient
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._cli.stopping.run import RunOptions
    from nimble_stop.models import StreamingSession


@attrs.frozen
class OneStop:
    """The stop of one session, ready to be made.

    Args:
        client: Sends the requests.
        studio_id: The session's studio.
        session_id: The session.
        options: How it is stopped.
    """

    client: NimbleClient
    studio_id: str
    session_id: str
    options: RunOptions

    def make(self, on_read: Callable[[StreamingSession], object]) -> StreamingSession:
        """Stop the session and give it as it was last read.

        Args:
            on_read: Called with the session each time that it was read.

        Raises:
            NimbleStopError: As the library's calls do.
        """
        try:
            return self._stop(on_read)
        except NimbleStopError as error:
            self.options.run_id.explain(error)
            raise

    def _stop(self, on_read: Callable[[StreamingSession], object]) -> StreamingSession:
        from nimble_stop._flows.bulk import derived_token

        before = self._read(on_read)
        options = self.options
        session = self.client.stop_session(
            self.studio_id,
            self.session_id,
            retention=options.retention,
            client_token=derived_token(
                options.run_id.text, self.studio_id, self.session_id, options.retention
            ),
        )
        if before is not None and _is_older(session, before):
            session = before
            done = "This run had stopped it before; nothing was done twice."
            again = options.run_id.restart_advice if before.state == State.READY else done
            note(f"{printable(self.session_id)}: {again}")
        else:
            on_read(session)
        if not options.wait:
            return session
        return wait_until_stopped(
            self.client,
            self.studio_id,
            self.session_id,
            deadline=options.deadline,
            poll_seconds=options.poll_seconds,
            on_read=on_read,
            known=session,
        )

    def _read(self, on_read: Callable[[StreamingSession], object]) -> StreamingSession | None:
        """Read the session as it is before the stop."""
        try:
            session = self.client.get_session(self.studio_id, self.session_id)
        except ServiceError:
            # Whoever may stop a session need not be allowed to read it.
            return None
        on_read(session)
        return session


def _is_older(answer: StreamingSession, before: StreamingSession) -> bool:
    """Whether a stop was answered with what an earlier one with the same token did."""
    if before.state != State.READY:
        return True
    seen, answered = before.updated_at, answer.updated_at
    return seen is not None and answered is not None and answered < seen


def wait_until_stopped(
    client: NimbleClient,
    studio_id: str,
    session_id: str,
    *,
    deadline: Deadline | None,
    poll_seconds: float,
    on_read: Callable[[StreamingSession], object],
    known: StreamingSession | None = None,
) -> StreamingSession:
    """Wait until a session has stopped.

    Args:
        client: Reads the session.
        studio_id: The session's studio.
        session_id: The session.
        deadline: When the command must be over; None for the library's limit.
        poll_seconds: The longest time between two polls.
        on_read: Called with the session each time that it was read.
        known: The session as it was read before, if it was.

    Raises:
        NimbleStopError: As the library's call does.
    """
    seconds = remaining_seconds(deadline) or WAIT_SECONDS
    try:
        return client.wait_until_stopped(
            studio_id, session_id, deadline=seconds, poll_interval=poll_seconds, on_poll=on_read
        )
    except DeadlineExceededError as error:
        if deadline is None:
            raise
        # The library knows what was left of it for the wait; the command line has the whole.
        over = f"The deadline of {duration(deadline.seconds)} is over and the session has not"
        session = error.session or known
        last = f"It was {session.state} when last read." if session else "It was never read."
        cause = _first_cause(error)
        why = "" if cause is error else f" The last poll failed: {cause}"
        raise DeadlineExceededError(f"{over} stopped. {last}{why}", session=session) from error


def _first_cause(error: NimbleStopError) -> NimbleStopError:
    cause = error.__cause__
    return _first_cause(cause) if isinstance(cause, NimbleStopError) else error
