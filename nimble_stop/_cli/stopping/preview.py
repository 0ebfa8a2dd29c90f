"""What is shown before anything is stopped: a dry run, and the question whether to delete."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from nimble_stop._cli.failures import ExitCode
from nimble_stop._cli.stopping.selection import read_sessions, select
from nimble_stop._cli.terminal.tables import write_sessions
from nimble_stop._cli.terminal.text import counted, printable
from nimble_stop._cli.terminal.wording import headline
from nimble_stop._cli.terminal.writing import folded, note
from nimble_stop.exceptions import NimbleStopError, ResourceNotFoundException
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    problems = list(_problems(found, resumed=selection.resumed))
    for problem in problems:
        note(folded(printable(problem)))
    stoppable = counted(len(found) - len(problems), "session")
    volumes = f" with --retention {retention}" if retention else ""
    note(folded(f"Dry run: {stoppable} would be stopped{volumes}; nothing was."))
    return ExitCode.SOME_FAILED if problems else ExitCode.OK


def _find(
    client: NimbleClient, selection: Selection, named_before: Sequence[str]
) -> Mapping[str, StreamingSession | NimbleStopError]:
    if selection.single is not None:
        return {selection.single: client.get_session(selection.studio_id, selection.single)}
    if not selection.everything:
        return read_sessions(client, selection.studio_id, selection.named())
    targets = select(client, selection, named_before)
    failed = {id_: each for id_, each in targets.settled.items() if isinstance(each, Exception)}
    return {**targets.listed, **failed}


def _problems(
    found: Mapping[str, StreamingSession | NimbleStopError], *, resumed: bool
) -> Iterator[str]:
    """Say which sessions would not be stopped, and why."""
    for session_id, each in found.items():
        if isinstance(each, ResourceNotFoundException):
            yield f"{session_id}: there is no such session"
        elif isinstance(each, NimbleStopError):
            yield f"{session_id}: {headline(each)}"
        elif each.state != State.READY and not (resumed and each.state == State.STOP_IN_PROGRESS):
            yield f"{session_id}: a stop would be refused, because it is {each.state}"


def check_confirmable(*, from_stdin: bool) -> None:
    """Refuse to delete volumes when nobody can be asked, before anything else happens.

    Args:
        from_stdin: Whether standard input holds the sessions' ids.

    Raises:
        UsageError: There is no terminal to ask at.
    """
    if from_stdin or not sys.stdin.isatty():
        raise click.UsageError(
            "--retention DELETE deletes volumes for good, and without a terminal nobody can be "
            "asked; confirm with --yes."
        )


def confirm_deletion(targets: Targets) -> bool:
    """Ask whether the volumes of these sessions may be deleted.

    Raises:
        Abort: The question was interrupted, or standard input ended.
    """
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
