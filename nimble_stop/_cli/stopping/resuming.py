"""The id of a run, and the command that resumes it."""

from __future__ import annotations

import secrets
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import click

from nimble_stop._cli.failures import PROGRAM
from nimble_stop._cli.terminal.text import printable
from nimble_stop.exceptions import UnexpectedStateError
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nimble_stop.exceptions import NimbleStopError


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
        """Take the id that was given, or make a new one that says when the run began."""
        if given == "":
            raise click.UsageError("--run-id must not be empty.")
        if given is not None:
            return cls(given, given=True)
        return cls(f"stop-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}", given=False)

    def explain(self, error: NimbleStopError) -> None:
        """Advise another id, where a session that was stopped with this one is READY again."""
        session = error.session if isinstance(error, UnexpectedStateError) else None
        if self.given and session is not None and session.state == State.READY:
            error.add_note(
                f"Run {printable(self.text)} had stopped it before, and it was started again: "
                "stop it with another --run-id."
            )


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
        return f"{purpose}{source}: {self.command}"

    @property
    def command(self) -> str:
        """The command line that continues the run: the same, with the run's id."""
        kept = [PROGRAM]
        rest = iter(self.words)
        for word in rest:
            if word == "--":
                rest = iter(("--", *rest))
                break
            if word == "--run-id":
                next(rest, None)
            elif not word.startswith("--run-id="):
                kept.append(word)
        return " ".join(_shell_word(word) for word in (*kept, "--run-id", self.run_id, *rest))


def _shell_word(word: str) -> str:
    """Quote a word so that a shell takes it as it is; bash, zsh and ksh for odd characters."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"
