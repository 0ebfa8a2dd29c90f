"""The id of a run, and the command that resumes it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.failures import PROGRAM
from nimble_stop._cli.global_options import usage_error
from nimble_stop._cli.terminal.text import printable, shell_command
from nimble_stop.exceptions import UnexpectedStateError
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nimble_stop.exceptions import NimbleStopError
    from nimble_stop.models import StreamingSession


@attrs.frozen
class RunId:
    """What the client tokens of a run are derived from.

    Args:
        text: The id.
        given: Whether the command line had it, so that an earlier run may have had it too.
    """

    text: str
    given: bool

    @classmethod
    def from_option(cls, given: str | None) -> RunId:
        """Take the id that was given, or make a new one.

        Raises:
            UsageError: It is empty.
        """
        if given == "":
            raise usage_error("--run-id must not be empty.")
        return cls(new_run_id(), given=False) if given is None else cls(given, given=True)

    def explain(self, error: NimbleStopError) -> None:
        """Advise another id, where a session that was stopped with this one is READY again."""
        session = error.session if isinstance(error, UnexpectedStateError) else None
        if self.given and session is not None and session.state == State.READY:
            error.add_note(
                f"Run {printable(self.text)} had stopped it before, and it was started again: "
                "stop it with another --run-id."
            )


def still_ready(session: StreamingSession) -> UnexpectedStateError:
    """Make the error of a session that is READY although its stop was answered.

    The service moves a session to STOP_IN_PROGRESS before it answers its stop, and repeats its
    answer when the token comes again, whatever the session has become.
    """
    return UnexpectedStateError(
        f"Session {session.session_id!r} is READY and was not stopped.", session=session
    )


def new_run_id(now: datetime | None = None) -> str:
    """Make a run id that says when the run began."""
    return f"stop-{now or datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@attrs.frozen(kw_only=True)
class ResumeHint:
    """What is needed to say how a run is resumed.

    Args:
        words: The command line as it was typed.
        run_id: The run's id.
        from_stdin: Whether the sessions' ids came from standard input.
        in_memory: Whether the endpoint and its sessions end with the command.
    """

    words: Sequence[str]
    run_id: str
    from_stdin: bool
    in_memory: bool

    def text(self, purpose: str = "To resume") -> str:
        """Give the command that resumes the run, if it can be resumed."""
        if self.in_memory:
            return "The embedded endpoint was in memory and is gone; --local=FILE keeps it."
        source = " with the same ids on standard input" if self.from_stdin else ""
        return f"{purpose}{source}: {resume_command(self.words, self.run_id)}"


def resume_command(words: Sequence[str], run_id: str) -> str:
    """Write the command line that continues a run: the same, with the run's id."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return shell_command([PROGRAM, *kept, "--run-id", run_id, "--", *rest])
        if word == "--run-id":
            next(rest, None)
        elif not word.startswith("--run-id="):
            kept.append(word)
    return shell_command([PROGRAM, *kept, "--run-id", run_id])
