"""What is shown before anything is stopped: a dry run, and the question whether to delete."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from nimble_stop._cli.failures import ExitCode, headline
from nimble_stop._cli.stopping.selection import read_session, select
from nimble_stop._cli.terminal.tables import write_sessions
from nimble_stop._cli.terminal.text import counted, printable
from nimble_stop._cli.terminal.writing import folded, note
from nimble_stop.exceptions import NimbleStopError, ResourceNotFoundException
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nimble_stop import NimbleClient
    from nimble_stop._cli.stopping.selection import Selection, Targets
    from nimble_stop._cli.terminal.writing import Output
    from nimble_stop.models import StreamingSession

# More ids than that in a question hide the question.
_NAMED: Final = 5


def show_dry_run(
    client: NimbleClient,
    selection: Selection,
    named_before: Sequence[str],
    retention: str | None,
    output: Output,
) -> ExitCode:
    """Show the sessions that are selected, and those of them that could not be stopped."""
    found = _find(client, selection, named_before)
    sessions = [each for each in found.values() if not isinstance(each, NimbleStopError)]
    write_sessions(sessions, output, datetime.now(UTC))
    stoppable = 0
    for session_id, each in found.items():
        problem = _problem(each, resumed=selection.resumed)
        if problem:
            note(folded(printable(f"{session_id}: {problem}")))
        else:
            stoppable += 1
    volumes = f" with --retention {retention}" if retention else ""
    would_be = f"{counted(stoppable, 'session')} would be stopped{volumes}"
    note(folded(f"Dry run: {would_be}; nothing was."))
    return ExitCode.OK if stoppable == len(found) else ExitCode.SOME_FAILED


def _find(
    client: NimbleClient, selection: Selection, named_before: Sequence[str]
) -> Mapping[str, StreamingSession | NimbleStopError]:
    studio_id = selection.studio_id
    if selection.single is not None:
        return {selection.single: client.get_session(studio_id, selection.single)}
    if not selection.everything:
        return {each: read_session(client, studio_id, each) for each in selection.named()}
    targets = select(client, selection, named_before)
    failed = {id_: each for id_, each in targets.settled.items() if isinstance(each, Exception)}
    return {**targets.listed, **failed}


def _problem(found: StreamingSession | NimbleStopError, *, resumed: bool) -> str:
    """Say why a session would not be stopped, if it would not."""
    if isinstance(found, ResourceNotFoundException):
        return "there is no such session"
    if isinstance(found, NimbleStopError):
        return headline(found)
    if found.state == State.READY or (resumed and found.state == State.STOP_IN_PROGRESS):
        return ""
    return f"a stop would be refused, because it is {found.state}"


def check_confirmable(*, from_stdin: bool) -> None:
    """Refuse to delete volumes when nobody can be asked, before anything else happens."""
    if from_stdin or not sys.stdin.isatty():
        raise click.UsageError(
            "--retention DELETE deletes volumes for good, and without a terminal nobody can be "
            "asked; confirm with --yes."
        )


def confirm_deletion(targets: Targets) -> bool:
    """Ask whether the volumes of these sessions may be deleted."""
    ids = targets.session_ids
    named = ", ".join(printable(session_id) for session_id in ids[:_NAMED])
    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    note(
        folded(
            f"The volumes of {counted(len(ids), 'session')} of {printable(targets.studio_id)} "
            f"will be deleted, with all data on them: {named}{more}."
        )
    )
    return click.confirm("Delete them?", err=True)
