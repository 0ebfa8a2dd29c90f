"""Which sessions a ``stop`` is for: those named, those on standard input, or a whole studio's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import attrs
import click

from nimble_stop._cli.options import Filters
from nimble_stop._cli.terminal.text import printable
from nimble_stop._cli.terminal.writing import note
from nimble_stop.exceptions import (
    NimbleStopError,
    RequestValidationError,
    ResourceNotFoundException,
    UnexpectedStateError,
)
from nimble_stop.models import StreamingSession, StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nimble_stop import NimbleClient

_STDIN: Final = "-"
# Only a READY session can be stopped. One whose stop is under way is taken up by a repetition.
_TO_STOP: Final = (State.READY, State.STOP_IN_PROGRESS)


@attrs.frozen(kw_only=True)
class Selection:
    """What the command line says about the sessions, checked for contradictions.

    Without names it is everything that fits the filters; ``resumed`` is whether an earlier run may
    have had the same run id.
    """

    studio_id: str
    session_ids: tuple[str, ...]
    everything: bool
    filters: Filters
    resumed: bool

    def __attrs_post_init__(self) -> None:
        if self.everything and self.session_ids:
            raise click.UsageError("Name sessions or give --all, not both.")
        if not self.everything and not self.session_ids:
            raise click.UsageError("Name at least one session, '-' to read ids, or give --all.")
        if not self.everything and self.filters != Filters():
            raise click.UsageError(
                "--state, --owned-by, --created-by and --tag choose among --all sessions."
            )
        if _STDIN in self.session_ids and len(self.session_ids) > 1:
            raise click.UsageError("'-' reads all ids from standard input; name no others.")

    @property
    def from_stdin(self) -> bool:
        return self.session_ids == (_STDIN,)

    @property
    def single(self) -> str | None:
        """The one session that is named, if it is one."""
        return self.session_ids[0] if len(self.session_ids) == 1 and not self.from_stdin else None

    def named(self) -> tuple[str, ...]:
        """Give the ids that are named or come on standard input, each once."""
        return tuple(dict.fromkeys(_stdin_ids() if self.from_stdin else self.session_ids))

    def __str__(self) -> str:
        """Describe the sessions, to be put behind the word."""
        if not self.everything:
            return " named"
        ready = "" if self.filters.states else " READY"
        return f"{ready} in {printable(self.studio_id)}{self.filters}"


@attrs.frozen(kw_only=True)
class Targets:
    """The sessions of a run: those to stop, and as they were if they were read.

    Those that are settled have been named before, and no stop is sent for them: each as it is, or
    why it is not stopped.
    """

    studio_id: str
    session_ids: tuple[str, ...]
    listed: dict[str, StreamingSession] = attrs.field(factory=dict["str", "StreamingSession"])
    settled: dict[str, StreamingSession | NimbleStopError] = attrs.field(
        factory=dict["str", "StreamingSession | NimbleStopError"]
    )
    named_before: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.session_ids) + len(self.settled)


def select(client: NimbleClient, selection: Selection, named_before: Sequence[str]) -> Targets:
    """Read which sessions are meant; ``--all`` accounts for those too that were named before."""
    studio_id, before = selection.studio_id, frozenset(named_before)
    if not selection.everything:
        return Targets(studio_id=studio_id, session_ids=selection.named(), named_before=before)
    states = selection.filters.states or (_TO_STOP if selection.resumed else (State.READY,))
    filters = attrs.evolve(selection.filters, states=states)
    listed: dict[str, StreamingSession] = {}
    others: dict[str, StreamingSession | NimbleStopError] = {}
    for session in filters.list_sessions(client, studio_id):
        session_id = session.session_id or ""
        if session_id and filters.fit(session):
            listed[session_id] = session
        elif session_id in before:
            others[session_id] = session
    settled: dict[str, StreamingSession | NimbleStopError] = {}
    for session_id in named_before:
        if session_id not in listed:
            found = others.get(session_id) or read_session(client, studio_id, session_id)
            if isinstance(found, StreamingSession) and found.state in _TO_STOP:
                listed[session_id] = found
            else:
                settled[session_id] = _settle(found)
    return Targets(
        studio_id=studio_id,
        session_ids=tuple(listed),
        listed=listed,
        settled=settled,
        named_before=before,
    )


def _settle(found: StreamingSession | NimbleStopError) -> StreamingSession | NimbleStopError:
    """Give a session that has stopped, and an error for any other."""
    from nimble_stop._flows.waiting import has_stopped

    if isinstance(found, NimbleStopError):
        return found
    try:
        if has_stopped(found):
            return found
    except NimbleStopError as error:
        return error
    return UnexpectedStateError(
        f"Session {found.session_id!r} is {found.state} and was not stopped.", session=found
    )


def read_session(
    client: NimbleClient, studio_id: str, session_id: str
) -> StreamingSession | NimbleStopError:
    try:
        return client.get_session(studio_id, session_id)
    except (ResourceNotFoundException, RequestValidationError) as error:
        return error


def _stdin_ids() -> Iterator[str]:
    """Read ids, one a line: the first field, so that a line of ``nimble-stop list`` will do."""
    if sys.stdin.isatty():
        note("Reading session ids, one a line; end with Ctrl-D.")
    for line in sys.stdin:
        session_id = line.rstrip("\r\n").partition("\t")[0]
        if session_id.strip():
            yield session_id
