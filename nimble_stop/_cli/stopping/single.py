"""How a session is stopped, one that is named, and waited for: one deadline for all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.terminal.text import printable
from nimble_stop._config.options import WAIT_SECONDS
from nimble_stop.exceptions import DeadlineExceededError, ServiceError, UnexpectedStateError
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop import NimbleClient
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._cli.stopping.resuming import RunId
    from nimble_stop.models import StreamingSession


@attrs.frozen(kw_only=True)
class StopOptions:
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

    def token(self, studio_id: str, session_id: str) -> str:
        """Derive the client token of a session's stop."""
        from nimble_stop._flows.results import derived_token

        return derived_token(self.run_id.text, studio_id, session_id, self.retention)


def stop_one(
    client: NimbleClient,
    studio_id: str,
    session_id: str,
    options: StopOptions,
    *,
    on_read: Callable[[StreamingSession], object],
    say: Callable[[str], object],
) -> StreamingSession:
    """Stop a session and give it as it was last read.

    Args:
        client: Sends the requests.
        studio_id: The session's studio.
        session_id: The session.
        options: How it is stopped.
        on_read: Called with the session each time that it was read.
        say: Shows a line of text to the person, if one reads what is going on.

    Raises:
        NimbleStopError: As the library's calls do.
    """
    from nimble_stop._flows.waiting import has_stopped

    before = read_if_allowed(client, studio_id, session_id)
    if before is not None:
        on_read(before)
    session = client.stop_session(
        studio_id,
        session_id,
        retention=options.retention,
        client_token=options.token(studio_id, session_id),
    )
    if before is not None and before.state != State.READY:
        # Only a token that was used before stops a session that is not READY.
        has_stopped(session := before)
        say(f"{printable(session_id)}: This run had stopped it before; nothing was done twice.")
    else:
        if before is not None and options.run_id.given:
            error = ready_again(client, studio_id, session_id)
            if error is not None:
                raise error
        on_read(session)
    if not options.wait:
        return session
    return wait_until_stopped(
        client,
        studio_id,
        session_id,
        deadline=options.deadline,
        poll_seconds=options.poll_seconds,
        on_read=on_read,
        known=session,
    )


def read_if_allowed(
    client: NimbleClient, studio_id: str, session_id: str
) -> StreamingSession | None:
    """Read a session; a caller that may stop one need not be allowed to read it."""
    try:
        return client.get_session(studio_id, session_id)
    except ServiceError:
        return None


def ready_again(
    client: NimbleClient, studio_id: str, session_id: str
) -> UnexpectedStateError | None:
    """Read a session whose stop was answered, and give an error if it is READY all the same.

    The service moves a session to STOP_IN_PROGRESS before it answers its stop, and repeats its
    answer when the token comes again, whatever the session has become.
    """
    session = read_if_allowed(client, studio_id, session_id)
    if session is None or session.state != State.READY:
        return None
    return UnexpectedStateError(
        f"Session {session.session_id!r} is READY and was not stopped.", session=session
    )


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
