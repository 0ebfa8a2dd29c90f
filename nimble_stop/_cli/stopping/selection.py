"""Which sessions a ``stop`` is for: those named, those on standard input, or a whole studio's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop._cli.filters import Filters
from nimble_stop._cli.global_options import usage_error
from nimble_stop._cli.terminal.text import printable
from nimble_stop._cli.terminal.writing import note
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nimble_stop import NimbleClient
    from nimble_stop._call.deadline import Deadline
    from nimble_stop.models import StreamingSession

_STDIN: Final = "-"


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
        """Refuse what contradicts itself."""
        if self.everything and self.session_ids:
            raise usage_error("Name sessions or give --all, not both.")
        if not self.everything and not self.session_ids:
            raise usage_error("Name at least one session, '-' to read ids, or give --all.")
        if not self.everything and self.filters != Filters():
            raise usage_error(
                "--state, --owned-by, --created-by and --tag choose among --all sessions."
            )
        if _STDIN in self.session_ids and len(self.session_ids) > 1:
            raise usage_error("'-' reads all ids from standard input; name no others.")

    @property
    def from_stdin(self) -> bool:
        """Whether the sessions' ids come from standard input."""
        return self.session_ids == (_STDIN,)

    @property
    def single(self) -> str | None:
        """The one session that is named, if it is one."""
        return self.session_ids[0] if len(self.session_ids) == 1 and not self.from_stdin else None

    def named(self) -> tuple[str, ...]:
        """Give the ids that are named or come on standard input, each once, in their order."""
        return tuple(dict.fromkeys(_stdin_ids() if self.from_stdin else self.session_ids))

    def sessions(
        self, client: NimbleClient, deadline: Deadline | None
    ) -> Iterator[StreamingSession]:
        """Read the sessions that ``--all`` means."""
        # Only a READY session can be stopped. One that an earlier run began to stop belongs to it.
        states = self.filters.states or (
            (State.READY, State.STOP_IN_PROGRESS) if self.resumed else (State.READY,)
        )
        filters = attrs.evolve(self.filters, states=states)
        return filters.sessions(client, self.studio_id, deadline)

    def __str__(self) -> str:
        """Describe the sessions, to be put behind the word."""
        if not self.everything:
            return " named"
        ready = "" if self.filters.states else " READY"
        return f"{ready} in {printable(self.studio_id)}{self.filters}"


@attrs.frozen(kw_only=True)
class Targets:
    """The sessions to stop.

    Args:
        studio_id: Their studio.
        session_ids: Their ids, each once.
        stopping: Those of them that were being stopped already when the studio was listed.
    """

    studio_id: str
    session_ids: tuple[str, ...]
    stopping: dict[str, StreamingSession] = attrs.field(factory=dict["str", "StreamingSession"])


def select(client: NimbleClient, selection: Selection, deadline: Deadline | None) -> Targets:
    """Read which sessions are meant.

    Raises:
        NimbleStopError: The studio's sessions cannot be listed.
    """
    if not selection.everything:
        return Targets(studio_id=selection.studio_id, session_ids=selection.named())
    sessions = {
        session.session_id: session
        for session in selection.sessions(client, deadline)
        if session.session_id
    }
    return Targets(
        studio_id=selection.studio_id,
        session_ids=tuple(sessions),
        stopping={
            session_id: session
            for session_id, session in sessions.items()
            if session.state == State.STOP_IN_PROGRESS
        },
    )


def _stdin_ids() -> Iterator[str]:
    """Read ids, one a line: the first field, so that a line of ``nimble-stop list`` will do."""
    if sys.stdin.isatty():
        note("Reading session ids, one a line; end with Ctrl-D.")
    for line in sys.stdin:
        session_id = line.rstrip("\r\n").partition("\t")[0]
        if session_id.strip():
            yield session_id
