"""The question that stands before volumes are deleted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from nimble_stop._cli.global_options import usage_error
from nimble_stop._cli.terminal.text import counted, printable
from nimble_stop._cli.terminal.writing import folded, note

if TYPE_CHECKING:
    from nimble_stop._cli.stopping.selection import Targets

# More ids than that in a question hide the question.
_NAMED: Final = 5


def check_confirmable(*, from_stdin: bool) -> None:
    """Refuse to delete volumes when nobody can be asked, before anything else happens.

    Args:
        from_stdin: Whether standard input holds the sessions' ids.

    Raises:
        UsageError: There is no terminal to ask at.
    """
    if from_stdin or not sys.stdin.isatty():
        raise usage_error(
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
