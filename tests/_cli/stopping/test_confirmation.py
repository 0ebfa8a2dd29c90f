from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import click
import pytest

from nimble_stop._cli.stopping.confirmation import check_confirmable, confirm_deletion
from nimble_stop._cli.stopping.selection import Targets

if TYPE_CHECKING:
    from collections.abc import Callable

SEVEN = Targets(studio_id="studio-1", session_ids=tuple(f"artist-{number}" for number in range(7)))


def test_without_a_terminal_a_deletion_is_refused(as_terminal: Callable[..., None]) -> None:
    """Nobody can be asked in a pipe, nor where standard input holds the ids."""
    with pytest.raises(click.UsageError, match="--yes"):
        check_confirmable(from_stdin=False)
    as_terminal("stdin")
    check_confirmable(from_stdin=False)
    with pytest.raises(click.UsageError, match="--yes"):
        check_confirmable(from_stdin=True)


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), (" YES\n", True), ("n\n", False), ("\n", False)]
)
def test_the_answer_counts(
    answer: str,
    agreed: bool,  # noqa: FBT001  # a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The question names the sessions, stands on standard error, and no is its default."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    assert confirm_deletion(SEVEN) is agreed
    out, err = capsys.readouterr()
    assert out == ""
    assert "7 sessions of studio-1" in err
    assert "artist-4 and 2 more." in err
    assert "[y/N]" in err


def test_no_answer_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard input ends, the command is aborted."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(click.Abort):
        confirm_deletion(SEVEN)
