"""Stopping one session that is named, and waiting until it has stopped: one deadline for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.connect import explain_answer
from nimble_stop._cli.stopping.resuming import still_ready
from nimble_stop._cli.terminal.text import printable
from nimble_stop._config.options import WAIT_SECONDS
from nimble_stop.exceptions import (
    DeadlineExceededError,
    NimbleStopError,
    ServiceError,
)
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

    def make(
        self, on_read: Callable[[StreamingSession], object], say: Callable[[str], object]
    ) -> StreamingSession:
        """Stop the session and give it as it was last read.

        Args:
            on_read: Called with the session each time that it was read.
            say: Shows a line of text to the person, if one reads what is going on.

        Raises:
            NimbleStopError: As the library's calls do.
        """
        try:
            return self._stop(on_read, say)
        except NimbleStopError as error:
            self.options.run_id.explain(error)
            explain_answer(error, self.client)
            raise

    def _stop(
        self, on_read: Callable[[StreamingSession], object], say: Callable[[str], object]
    ) -> StreamingSession:
        from nimble_stop._flows.results import derived_token
        from nimble_stop._flows.waiting import has_stopped

        before = self._read()
        if before is not None:
            on_read(before)
        options = self.options
        session = self.client.stop_session(
            self.studio_id,
            self.session_id,
            retention=options.retention,
            client_token=derived_token(
                options.run_id.text, self.studio_id, self.session_id, options.retention
            ),
        )
        if before is not None and before.state != State.READY:
            # Only a token that was used before stops a session that is not READY.
            has_stopped(session := before)
            name = printable(self.session_id)
            say(f"{name}: This run had stopped it before; nothing was done twice.")
        else:
            self._check_ready_no_more(before)
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

    def _check_ready_no_more(self, before: StreamingSession | None) -> None:
        """Make sure that a stop was answered for what it did, and not for an earlier run's."""
        if not self.options.run_id.given:
            return
        session = self._read() if before is not None else None
        if session is not None and session.state == State.READY:
            raise still_ready(session)

    def _read(self) -> StreamingSession | None:
        try:
            return self.client.get_session(self.studio_id, self.session_id)
        except ServiceError:
            # A caller that may stop a session need not be allowed to read it.
            return None


def wait_until_stopped(
    client: NimbleClient,
    studio_id: str,
    session_id: str,
    *,
    deadline: Deadline | None,
    poll_seconds: float,
    on_read: Callable[[StreamingSession], object],
    known: StreamingSession | None,
) -> StreamingSession:
    """Wait until a session has stopped.

    Args:
        client: Reads the session.
        studio_id: The session's studio.
        session_id: The session.
        deadline: When the command must be over, as the client knows; None for the library's limit.
        poll_seconds: The longest time between two polls.
        on_read: Called with the session each time that it was read.
        known: The session as it was read before, if it was.

    Raises:
        NimbleStopError: As the library's call does.
    """
    seconds = WAIT_SECONDS if deadline is None else deadline.seconds
    try:
        return client.wait_until_stopped(
            studio_id, session_id, deadline=seconds, poll_interval=poll_seconds, on_poll=on_read
        )
    except DeadlineExceededError as error:
        if error.session is not None or known is None:
            raise
        over = f"The deadline of {seconds:g} s is over and the session has not stopped."
        last = f"It was {known.state} when last read."
        raise DeadlineExceededError(f"{over} {last}", session=known) from error
