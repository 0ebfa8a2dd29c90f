"""The question that stands before volumes are deleted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.output import folded, note
from nimble_stop._cli.settings import usage_error
from nimble_stop._cli.text import counted, printable
from nimble_stop.models import VolumeRetentionMode

if TYPE_CHECKING:
    from nimble_stop._cli.order import Order

# More ids than that in a question hide the question.
_NAMED: Final = 5
_YES: Final = frozenset({"y", "yes"})


def check_confirmable(order: Order) -> None:
    """Refuse to delete volumes when nobody can be asked, before anything else happens.

    Raises:
        UsageError: It is not confirmed, and there is no terminal to ask at.
    """
    if _is_to_be_asked(order) and (order.from_stdin or not sys.stdin.isatty()):
        raise usage_error(
            "--retention DELETE deletes volumes for good, and without a terminal nobody can be "
            "asked; confirm with --yes."
        )


def confirm_deletion(order: Order, session_ids: tuple[str, ...]) -> bool:
    """Ask whether volumes may be deleted, if they are to be."""
    if not _is_to_be_asked(order) or not session_ids:
        return True
    named = ", ".join(printable(session_id) for session_id in session_ids[:_NAMED])
    more = f" and {len(session_ids) - _NAMED:,} more" if len(session_ids) > _NAMED else ""
    text = (
        f"The volumes of {counted(len(session_ids), 'session')} of {printable(order.studio_id)} "
        f"will be deleted, with all data on them: {named}{more}."
    )
    note(folded(text))
    note("Delete them? [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in _YES


def _is_to_be_asked(order: Order) -> bool:
    deletes = order.retention == VolumeRetentionMode.DELETE
    return deletes and not order.yes and not order.dry_run
