"""Which sessions a ``stop`` is for: those named, those on standard input, or a whole studio's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import attrs
import click

from nimble_stop._api.arguments import checked_id
from nimble_stop._cli.options import Filters
from nimble_stop._cli.terminal.text import printable
from nimble_stop._cli.terminal.writing import note
from nimble_stop.exceptions import (
    NimbleStopError,
    RequestValidationError,
    ResourceNotFoundException,
    UnexpectedStateError,
)
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nimble_stop import NimbleClient
    from nimble_stop.models import StreamingSession

_STDIN: Final = "-"
# Only a READY session can be stopped. One whose stop is under way is taken up by a repetition.
_TO_STOP: Final = (State.READY, State.STOP_IN_PROGRESS)


@attrs.frozen(kw_only=True)
class Selection:
    """What the command line says about the sessions, checked for contradictions.

    Args:
        studio_id: The studio.
        session_ids: The sessions that are named; ``-`` alone stands for standard input.
        everything: Whether all of the studio's sessions that fit the filters are meant.
        filters: What they must be like.
        resumed: Whether an earlier run may have had the same run id.
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
        """Whether the sessions' ids come from standard input."""
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
    """The sessions of a run.

    Args:
        studio_id: Their studio.
        session_ids: The ids of those to stop, each once.
        listed: Those of them that were read, as they were.
        settled: Other sessions that the run has named before, and that no stop is sent for: as
            they are, or why they are not stopped.
        named_before: All that the run has named before.
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
    """Read which sessions are meant.

    Args:
        client: Reads them.
        selection: What the command line says.
        named_before: The sessions that the run has named before; ``--all`` accounts for them too.

    Raises:
        NimbleStopError: The studio's sessions cannot be read.
    """
    studio_id, before = selection.studio_id, frozenset(named_before)
    if not selection.everything:
        return Targets(studio_id=studio_id, session_ids=selection.named(), named_before=before)
    states = selection.filters.states or (_TO_STOP if selection.resumed else (State.READY,))
    filters = attrs.evolve(selection.filters, states=states)
    listed = {
        session.session_id: session
        for session in filters.sessions(client, studio_id)
        if session.session_id
    }
    others = [session_id for session_id in named_before if session_id not in listed]
    settled: dict[str, StreamingSession | NimbleStopError] = {}
    for session_id, found in read_sessions(client, studio_id, others).items():
        if isinstance(found, NimbleStopError):
            settled[session_id] = found
        elif found.state in _TO_STOP:
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


def _settle(session: StreamingSession) -> StreamingSession | NimbleStopError:
    """Give a session that has stopped, and an error for any other."""
    from nimble_stop._flows.waiting import has_stopped

    try:
        if has_stopped(session):
            return session
    except NimbleStopError as error:
        return error
    return UnexpectedStateError(
        f"Session {session.session_id!r} is {session.state} and was not stopped.", session=session
    )


def read_sessions(
    client: NimbleClient, studio_id: str, session_ids: Sequence[str]
) -> dict[str, StreamingSession | NimbleStopError]:
    """Read sessions, or why each of the others cannot be read.

    Raises:
        NimbleStopError: The studio's sessions cannot be listed.
    """
    found: dict[str, StreamingSession | NimbleStopError] = {}
    # Commas separate the ids in a list request, and an id that cannot be sent would spoil it.
    listable = [session_id for session_id in session_ids if _is_listable(session_id)]
    if listable:
        for session in client.list_sessions(studio_id, session_ids=listable):
            found[session.session_id or ""] = session
    for session_id in session_ids:
        if session_id not in found:
            try:
                # A deleted session is not listed.
                found[session_id] = client.get_session(studio_id, session_id)
            except (ResourceNotFoundException, RequestValidationError) as error:
                found[session_id] = error
    return {session_id: found[session_id] for session_id in session_ids}


def _is_listable(session_id: str) -> bool:
    try:
        return "," not in checked_id("session_id", session_id)
    except RequestValidationError:
        return False


def _stdin_ids() -> Iterator[str]:
    """Read ids, one a line: the first field, so that a line of ``nimble-stop list`` will do."""
    if sys.stdin.isatty():
        note("Reading session ids, one a line; end with Ctrl-D.")
    for line in sys.stdin:
        session_id = line.rstrip("\r\n").partition("\t")[0]
        if session_id.strip():
            yield session_id
