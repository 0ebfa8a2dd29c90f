from __future__ import annotations

import errno
import itertools
import sys
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

import nimble_stop
from nimble_stop._cli.output import Output
from nimble_stop._cli.picture import picture, show_run
from nimble_stop._cli.settings import Settings
from nimble_stop._cli.tally import Tally
from tests._cli.support import plain
from tests._cli.test_tally import result

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.clock import ManualClock

FAILED = result("artist-9", error=nimble_stop.ConflictException("busy"))


@pytest.mark.parametrize("columns", [40, 80])
def test_the_picture_fits_the_terminal(columns: int, clock: ManualClock) -> None:
    """A bar of the terminal's width, the pace and the counts, each on lines of their own."""
    tally = Tally(40, lambda: clock.monotonic)
    list(itertools.islice(tally.feed(map(str, range(40))), 20))
    clock.advance(3)
    for _ in range(10):
        tally.add(result())
    shown = StringIO()
    Console(file=shown, width=columns, force_terminal=True, color_system=None).print(picture(tally))
    lines = plain(shown.getvalue()).splitlines()
    assert set(lines[0]) <= set("━╸╺ ")
    assert all(len(line) <= columns for line in lines)
    assert " ".join(" ".join(lines[1:]).split()) == (
        "10 of 40 in 3.0 s, 3.3 a second, about 9.0 s left 10 STOPPED, 10 under way, 20 not begun"
    )


def test_in_a_pipe_every_result_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Results, failed ones too, are on standard output, and what is said on standard error."""
    with show_run(Tally(2), "run-1", Settings()) as view:
        view.show(result())
        view.show(FAILED)
        view.say("a word")
    out, err = capsys.readouterr()
    assert [line.partition(":")[0] for line in out.splitlines()] == ["artist-1", "artist-9"]
    assert err == "a word\n"


def test_a_terminal_has_a_picture_with_the_results_above(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of few sessions all results are shown, and what is said does not break the picture."""
    as_terminal()
    tally = Tally(20)
    with show_run(tally, "run-1", Settings()) as view:
        view.show(result())
        view.show(FAILED)
        view.say("a word")
    out, err = capsys.readouterr()
    text = plain(err)
    assert out == ""
    assert "artist-1: STOPPED" in text
    assert "artist-9: failed" in text
    assert "a word\n" in text
    assert "0 of 20" in text


def test_of_many_sessions_a_terminal_shows_the_failures_only(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """What went well is in the counts."""
    as_terminal()
    with show_run(Tally(21), "run-1", Settings()) as view:
        view.show(result())
        view.show(FAILED)
    text = plain(capsys.readouterr().err)
    assert "artist-1" not in text
    assert "artist-9: failed" in text


def test_a_picture_goes_along_with_results_in_a_file(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where standard output goes elsewhere, it has all results, for people or programs."""
    as_terminal("stderr")
    for output in (Output.TABLE, Output.JSONL):
        with show_run(Tally(50), "run-1", Settings(output=output)) as view:
            view.show(result())
        out, err = capsys.readouterr()
        assert "artist-1" in out
        assert "0 of 50" in err


@pytest.mark.parametrize("settings", [Settings(output=Output.JSON), Settings(debug=True)])
def test_a_picture_does_not_mix_with_other_output(
    settings: Settings, as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON or log lines in the same terminal leave no room for it."""
    as_terminal()
    with show_run(Tally(2), "run-1", settings) as view:
        view.show(result())
    out, err = capsys.readouterr()
    assert "artist-1" in out
    assert err == ""


@pytest.mark.parametrize("output", list(Output))
def test_a_reader_that_went_away_stops_nothing(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on; nothing more is written."""
    written: list[str] = []

    def write(text: str) -> None:
        written.append(text)
        raise BrokenPipeError

    monkeypatch.setattr(sys.stdout, "write", write)
    with show_run(Tally(2), "run-1", Settings(output=output)) as view:
        view.show(result())
        view.show(result())
    assert len(written) == 1


@pytest.mark.parametrize("output", list(Output))
def test_results_that_cannot_be_written_are_told_after_the_run(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk keeps no session from being stopped, and is an error in the end."""
    shown: list[str] = []

    def write(_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def run() -> None:
        with show_run(Tally(2), "run-1", Settings(output=output)) as view:
            for number in range(2):
                view.show(result())
                shown.append(f"{number}")

    monkeypatch.setattr(sys.stdout, "write", write)
    with pytest.raises(OSError, match="No space"):
        run()
    assert len(shown) == 2
