"""``stop --dry-run``: what would be stopped, without stopping it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nimble_stop._cli.failures import ExitCode
from nimble_stop._cli.terminal.tables import write_sessions
from nimble_stop._cli.terminal.text import counted, printable
from nimble_stop._cli.terminal.writing import Output, folded, json_writer, note
from nimble_stop.exceptions import ResourceNotFoundException
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nimble_stop import NimbleClient
    from nimble_stop._call.deadline import Deadline
    from nimble_stop._cli.stopping.selection import Selection
    from nimble_stop.models import StreamingSession


def show_dry_run(
    client: NimbleClient,
    selection: Selection,
    retention: str | None,
    output: Output,
    deadline: Deadline | None,
) -> ExitCode:
    """Show the sessions that are selected, and those of them that could not be stopped."""
    ids = () if selection.everything else selection.named()
    if selection.everything:
        sessions = list(selection.sessions(client, deadline))
    else:
        sessions = list(_sessions_named(client, selection.studio_id, ids))
    if output is Output.TABLE:
        write_sessions(sessions, datetime.now(UTC))
    else:
        with json_writer(output) as write_object:
            for session in sessions:
                write_object(session.to_dict())
    missing = _missing(ids, sessions)
    problems = list(_problems(missing, sessions, resumed=selection.resumed))
    for problem in problems:
        note(folded(printable(problem)))
    stoppable = counted(len(sessions) + len(missing) - len(problems), "session")
    volumes = f" with --retention {retention}" if retention else ""
    note(folded(f"Dry run: {stoppable} would be stopped{volumes}; nothing was."))
    return ExitCode.SOME_FAILED if problems else ExitCode.OK


def _sessions_named(
    client: NimbleClient, studio_id: str, ids: Sequence[str]
) -> Iterator[StreamingSession]:
    if len(ids) == 1:
        yield client.get_session(studio_id, ids[0])
        return
    # Commas separate the ids in a list request.
    listable = [session_id for session_id in ids if "," not in session_id]
    if listable:
        yield from client.list_sessions(studio_id, session_ids=listable)
    for session_id in ids:
        if "," in session_id:
            try:
                yield client.get_session(studio_id, session_id)
            except ResourceNotFoundException:
                continue


def _missing(ids: Sequence[str], sessions: Sequence[StreamingSession]) -> list[str]:
    found = {session.session_id for session in sessions}
    return [session_id for session_id in ids if session_id not in found]


def _problems(
    missing: Sequence[str], sessions: Sequence[StreamingSession], *, resumed: bool
) -> Iterator[str]:
    """Say which sessions would not be stopped, and why."""
    for session_id in missing:
        yield f"{session_id}: there is no such session"
    for session in sessions:
        own = resumed and session.state == State.STOP_IN_PROGRESS
        if session.state != State.READY and not own:
            yield f"{session.session_id}: a stop would be refused, because it is {session.state}"
