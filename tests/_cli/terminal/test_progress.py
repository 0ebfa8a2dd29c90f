from __future__ import annotations

import errno
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop._cli.terminal.progress import Line, Snapshot, show_run
from nimble_stop._cli.terminal.writing import Output
from tests._cli.support import FakeStream, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from nimble_stop._cli.terminal.progress import Display

DONE = Line("artist-1: STOPPED", {"sessionId": "artist-1"}, failed=False)
FAILED = Line("artist-9: failed: busy", {"sessionId": "artist-9"}, failed=True)


def shown(
    total: int = 2, output: Output = Output.TABLE, *, quiet: bool = False, plain: bool = False
) -> AbstractContextManager[Display]:
    """Show a run of so many sessions, of which ten have ended."""
    snapshot = Snapshot(total, 10, f"10 of {total} in 3.0 s", "10 STOPPED, 30 not begun")
    return show_run(total, lambda: snapshot, output, quiet=quiet, plain=plain)


@pytest.mark.parametrize("columns", [40, 80])
def test_the_live_display_fits_the_terminal(
    columns: int, as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A bar of the terminal's width, the pace and the counts, each on a line."""
    as_terminal("stderr", columns=columns)
    with shown(40):
        pass
    lines = plain(capsys.readouterr().err.replace("\r", "\n")).splitlines()
    bars = [line for line in lines if "━" in line]
    assert bars
    assert set("".join(bars)) <= set("━╸╺ ")
    assert all(len(line) <= columns for line in lines)
    assert {"10 of 40 in 3.0 s", "10 STOPPED, 30 not begun"} <= {line.strip() for line in lines}


def test_in_a_pipe_every_result_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Results, failed ones too, are on standard output, and what is said on standard error."""
    with shown() as display:
        display.show(DONE)
        display.show(FAILED)
        display.say("a word")
    out, err = capsys.readouterr()
    assert out.splitlines() == [DONE.text, FAILED.text]
    assert err == "a word\n"


def test_a_terminal_has_a_live_display_with_the_results_above(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of few sessions all results are shown, and what is said does not break the display."""
    as_terminal()
    with shown(20) as display:
        display.show(DONE)
        display.show(FAILED)
        display.say("a word")
    out, err = capsys.readouterr()
    text = plain(err)
    assert out == ""
    assert "artist-1: STOPPED" in text
    assert "artist-9: failed" in text
    assert "a word\n" in text
    assert "10 of 20" in text


def test_of_many_sessions_a_terminal_shows_the_failures_only(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """What went well is in the counts."""
    as_terminal()
    with shown(21) as display:
        display.show(DONE)
        display.show(FAILED)
    text = plain(capsys.readouterr().err)
    assert "artist-1" not in text
    assert "artist-9: failed" in text


@pytest.mark.parametrize("output", [Output.TABLE, Output.JSONL])
def test_a_live_display_goes_along_with_results_in_a_file(
    output: Output, as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where standard output goes elsewhere, it has all results, for people or programs."""
    as_terminal("stderr")
    with shown(50, output) as display:
        display.show(DONE)
    out, err = capsys.readouterr()
    assert "artist-1" in out
    assert "10 of 50" in err


@pytest.mark.parametrize("options", [{"output": Output.JSON}, {"plain": True}])
def test_a_live_display_does_not_mix_with_other_output(
    options: dict[str, Any], as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON or log lines in the same terminal leave no room for it."""
    as_terminal()
    with shown(**options) as display:
        display.show(DONE)
    out, err = capsys.readouterr()
    assert "artist-1" in out
    assert err == ""


@pytest.mark.parametrize("output", list(Output))
def test_a_reader_that_went_away_stops_nothing(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on; nothing more is written."""
    stream = FakeStream(BrokenPipeError())
    monkeypatch.setattr(sys, "stdout", stream)
    with shown(output=output) as display:
        display.show(DONE)
        display.show(DONE)
    assert len(stream.written) == 1


@pytest.mark.parametrize("output", list(Output))
def test_results_that_cannot_be_written_are_an_error_after_the_run(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk keeps no session from being stopped, and is an error in the end."""
    ended: list[int] = []

    def run() -> None:
        with shown(output=output) as display:
            for number in range(2):
                display.show(DONE)
                ended.append(number)

    monkeypatch.setattr(sys, "stdout", FakeStream(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(OSError, match="No space"):
        run()
    assert ended == [0, 1]


@pytest.mark.parametrize("output", list(Output))
def test_a_quiet_run_shows_a_person_the_failures_only(
    output: Output, as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no live display either; a program gets every result all the same."""
    as_terminal("stderr")
    with shown(output=output, quiet=True) as display:
        display.show(DONE)
        display.show(FAILED)
    out, err = capsys.readouterr()
    assert err == ""
    assert ("artist-1" in out) is (output is not Output.TABLE)
    assert "artist-9" in out
