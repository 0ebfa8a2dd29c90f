from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from nimble_stop._cli.confirmation import check_confirmable, confirm_deletion
from tests._cli.support import make_order

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    "changes", [{"retention": None}, {"retention": "RETAIN"}, {"yes": True}, {"dry_run": True}]
)
def test_only_a_deletion_is_asked_about(changes: dict[str, Any]) -> None:
    """Nothing is asked when no volume is deleted, or when that is confirmed already."""
    order = make_order(**{"retention": "DELETE"} | changes)
    check_confirmable(order)
    assert confirm_deletion(order, ("artist-1",))


def test_without_a_terminal_a_deletion_is_refused(as_terminal: Callable[..., None]) -> None:
    """Nobody can be asked in a pipe, nor where standard input holds the ids."""
    with pytest.raises(click.UsageError, match="--yes"):
        check_confirmable(make_order(retention="DELETE"))
    as_terminal("stdin")
    check_confirmable(make_order(retention="DELETE"))
    with pytest.raises(click.UsageError, match="--yes"):
        check_confirmable(make_order(retention="DELETE", session_ids=("-",)))


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [("y\n", True), (" YES\n", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_the_answer_counts(
    answer: str,
    agreed: bool,  # noqa: FBT001  # a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The question names the sessions, stands on standard error, and no is its default."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    ids = tuple(f"artist-{number}" for number in range(7))
    assert confirm_deletion(make_order(retention="DELETE"), ids) is agreed
    out, err = capsys.readouterr()
    assert out == ""
    assert "7 sessions of studio-1" in err
    assert "artist-4 and 2 more." in err


def test_no_sessions_are_no_question() -> None:
    """Where nothing would be deleted, nothing is asked."""
    assert confirm_deletion(make_order(retention="DELETE"), ())
