"""What ``nimble-stop stop`` was asked for."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.failures import PROGRAM
from nimble_stop._cli.selection import Filters
from nimble_stop._cli.settings import usage_error
from nimble_stop._cli.text import printable, shell_command
from nimble_stop.exceptions import UnexpectedStateError
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nimble_stop._cli.settings import Settings
    from nimble_stop.exceptions import NimbleStopError

STDIN = "-"


@attrs.frozen(kw_only=True)
class Order:
    """The arguments of one ``stop``, checked against each other.

    Args:
        studio_id: The studio.
        session_ids: The sessions that were named; ``-`` alone stands for standard input.
        everything: Whether all of the studio's sessions that fit the filters are meant.
        filters: What they must be like.
        retention: What is to happen to the volumes.
        dry_run: Whether to look only.
        yes: Whether the deletion of volumes is confirmed already.
        wait: Whether to wait until they have stopped.
        deadline: How many seconds everything may take, or None.
        max_concurrency: How many stops may be in flight.
        fail_fast: Whether the first failure keeps further stops from beginning.
        run_id: What the client tokens are derived from.
        resumed: Whether the run id was given, so that an earlier run may have had it.
    """

    studio_id: str
    session_ids: tuple[str, ...]
    everything: bool
    filters: Filters
    retention: str | None
    dry_run: bool
    yes: bool
    wait: bool
    deadline: float | None
    max_concurrency: int
    fail_fast: bool
    run_id: str
    resumed: bool

    def __attrs_post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.everything and self.session_ids:
            raise usage_error("Name sessions or give --all, not both.")
        if not self.everything and not self.session_ids:
            raise usage_error("Name at least one session, '-' to read ids, or give --all.")
        if not self.everything and self.filters != Filters():
            raise usage_error(
                "--state, --owned-by, --created-by and --tag choose among --all sessions."
            )
        if STDIN in self.session_ids and len(self.session_ids) > 1:
            raise usage_error("'-' reads all ids from standard input; name no others.")
        if not self.run_id:
            raise usage_error("--run-id must not be empty.")

    @property
    def from_stdin(self) -> bool:
        """Whether the sessions' ids come from standard input."""
        return self.session_ids == (STDIN,)

    @property
    def single(self) -> str | None:
        """The one session that was named, if it was one."""
        return self.session_ids[0] if len(self.session_ids) == 1 and not self.from_stdin else None


def new_run_id(now: datetime | None = None) -> str:
    """Make a run id that tells when the run began."""
    return f"stop-{now or datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def resume_advice(order: Order, settings: Settings, purpose: str = "To resume") -> str:
    """Say how the run is continued, if it can be."""
    if settings.forgetful:
        return "The embedded endpoint was in memory and is gone; --local=FILE keeps it."
    source = " with the same ids on standard input" if order.from_stdin else ""
    return f"{purpose}{source}: {resume_command(settings.words, order.run_id)}"


def explain_restart(error: NimbleStopError, order: Order) -> None:
    """Advise a new run id, where a session that was stopped with this one is READY again."""
    session = error.session if isinstance(error, UnexpectedStateError) else None
    if order.resumed and session is not None and session.state == State.READY:
        error.add_note(restart_advice(order))


def restart_advice(order: Order) -> str:
    """Say why the run does not stop a session that is READY, and what does."""
    return (
        f"Run {printable(order.run_id)} had stopped it before, and it was started again: stop it "
        "with another --run-id."
    )


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
