"""Which sessions a ``stop`` is for, read, shown by a dry run, and confirmed for a deletion."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
import click

from nimble_stop import exceptions
from nimble_stop._cli.command import Filters
from nimble_stop._cli.failures import ExitCode, headline
from nimble_stop._cli.terminal.session_tables import write_sessions
from nimble_stop._cli.terminal.writing import Output, counted, note, printable
from nimble_stop.models import StreamingSession, StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nimble_stop import NimbleClient

# A session as it is, or why it is not there or not stopped.
Found: TypeAlias = "StreamingSession | exceptions.NimbleStopError"

_STDIN: Final = "-"
# Only a READY session can be stopped. One whose stop is under way is taken up by a repetition.
_TO_STOP: Final = (State.READY, State.STOP_IN_PROGRESS)

# More ids than that in a question hide the question.
_NAMED: Final = 5


@attrs.frozen(kw_only=True)
class Selection:
    """What the command line says about the sessions, checked for contradictions.

    ``resumed`` is whether an earlier command may have had the run id.
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
        if not self.everything:
            return " named"
        ready = "" if self.filters.states else " READY"
        return f"{ready} in {printable(self.studio_id)}{self.filters}"


@attrs.frozen(kw_only=True)
class Targets:
    """The sessions of a run: those to stop, each as it was if it was read, and the settled ones.

    Those that are settled have been named before, and no stop is sent for them: each as it is, or
    why it is not stopped.
    """

    to_stop: Mapping[str, StreamingSession | None]
    settled: Mapping[str, Found] = attrs.field(factory=dict["str", "Found"])
    named_before: frozenset[str] = frozenset()


def select(client: NimbleClient, selection: Selection, named_before: Sequence[str]) -> Targets:
    """Read which sessions are meant; ``--all`` accounts for those too that were named before."""
    studio_id, before = selection.studio_id, frozenset(named_before)
    if not selection.everything:
        return Targets(to_stop=dict.fromkeys(selection.named()), named_before=before)
    states = selection.filters.states or (_TO_STOP if selection.resumed else (State.READY,))
    filters = attrs.evolve(selection.filters, states=states)
    to_stop: dict[str, StreamingSession] = {}
    others: dict[str, StreamingSession] = {}
    for session in filters.list_sessions(client, studio_id):
        session_id = session.session_id or ""
        if session_id and filters.fit(session):
            to_stop[session_id] = session
        elif session_id in before:
            others[session_id] = session
    settled: dict[str, Found] = {}
    for session_id in named_before:
        if session_id not in to_stop:
            found = others.get(session_id) or _read_session(client, studio_id, session_id)
            if isinstance(found, StreamingSession) and found.state in _TO_STOP:
                to_stop[session_id] = found
            else:
                settled[session_id] = _settle(found)
    return Targets(to_stop=to_stop, settled=settled, named_before=before)


def _settle(found: Found) -> Found:
    """Give a session that has stopped, and an error for any other."""
    from nimble_stop._flows.waiting import has_stopped

    if isinstance(found, exceptions.NimbleStopError):
        return found
    try:
        if has_stopped(found):
            return found
    except exceptions.NimbleStopError as error:
        return error
    return exceptions.UnexpectedStateError(
        f"Session {found.session_id!r} is {found.state} and was not stopped.", session=found
    )


def _read_session(client: NimbleClient, studio_id: str, session_id: str) -> Found:
    try:
        return client.get_session(studio_id, session_id)
    except (
        exceptions.AccessDeniedException,
        exceptions.ResourceNotFoundException,
        exceptions.RequestValidationError,
    ) as error:
        return error


def _read_sessions(
    client: NimbleClient, studio_id: str, session_ids: Sequence[str]
) -> dict[str, Found]:
    """Read sessions by pages of the list, and alone those that no page holds."""
    listed: dict[str | None, StreamingSession] = {}
    # Commas separate the ids in a list request. The permission to list is a separate one.
    listable = [session_id for session_id in session_ids if "," not in session_id]
    with suppress(exceptions.AccessDeniedException, exceptions.RequestValidationError):
        for session in client.list_sessions(studio_id, session_ids=listable):
            listed[session.session_id] = session
    return {
        session_id: listed.get(session_id) or _read_session(client, studio_id, session_id)
        for session_id in session_ids
    }


def show_dry_run(
    client: NimbleClient,
    selection: Selection,
    named_before: Sequence[str],
    retention: str | None,
    output: Output,
) -> ExitCode:
    """Show the sessions that are selected, and those of them that could not be stopped."""
    found = _find(client, selection, named_before)
    sessions = [each for each in found.values() if isinstance(each, StreamingSession)]
    write_sessions(sessions, output, datetime.now(UTC))
    stoppable = len(found)
    for session_id, each in found.items():
        if problem := _problem(each, resumed=selection.resumed):
            note(printable(f"{session_id}: {problem}"))
            stoppable -= 1
    volumes = f" with --retention {retention}" if retention else ""
    would_be = f"{counted(stoppable, 'session')} would be stopped{volumes}"
    note(f"Dry run: {would_be}; nothing was.")
    return ExitCode.OK if stoppable == len(found) else ExitCode.SOME_FAILED


def _find(
    client: NimbleClient, selection: Selection, named_before: Sequence[str]
) -> Mapping[str, Found]:
    studio_id = selection.studio_id
    if selection.single is not None:
        return {selection.single: client.get_session(studio_id, selection.single)}
    if not selection.everything:
        return _read_sessions(client, studio_id, selection.named())
    targets = select(client, selection, named_before)
    listed = {id_: each for id_, each in targets.to_stop.items() if each is not None}
    failed = {id_: each for id_, each in targets.settled.items() if isinstance(each, Exception)}
    return {**listed, **failed}


def _problem(found: Found, *, resumed: bool) -> str:
    """Say why a session would not be stopped, if it would not."""
    if isinstance(found, exceptions.ResourceNotFoundException):
        return "there is no such session"
    if isinstance(found, exceptions.NimbleStopError):
        return headline(found)
    if found.state == State.READY or (resumed and found.state == State.STOP_IN_PROGRESS):
        return ""
    return f"a stop would be refused, because it is {found.state}"


def confirm_deletion(studio_id: str, ids: Sequence[str]) -> bool:
    named = ", ".join(printable(session_id) for session_id in ids[:_NAMED])
    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    note(
        f"The volumes of {counted(len(ids), 'session')} of {printable(studio_id)} "
        f"will be deleted, with all data on them: {named}{more}."
    )
    return click.confirm("Delete them?", err=True)


def _stdin_ids() -> Iterator[str]:
    """Read ids, one a line: the first field, so that a line of ``nimble-stop list`` will do."""
    if sys.stdin.isatty():
        note("Reading session ids, one a line; end with Ctrl-D.")
    for line in sys.stdin:
        session_id = line.rstrip("\r\n").partition("\t")[0]
        if session_id.strip():
            yield session_id
