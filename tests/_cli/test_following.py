from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop import StreamingSession, StreamingSessionState
from nimble_stop._cli.following import Trail, follow, write_outcome
from nimble_stop._cli.output import Output
from nimble_stop._cli.settings import Settings
from tests._cli.support import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.support.clock import ManualClock


def session(state: str | None) -> StreamingSession:
    """Make a session in a state."""
    return StreamingSession(state=None if state is None else StreamingSessionState(state))


def test_a_trail_keeps_the_states_in_their_order(clock: ManualClock) -> None:
    """A state that is seen again is told once, and every change is shown with its time."""
    shown: list[str] = []
    trail = Trail("artist-1", shown.append, lambda: clock.monotonic)
    assert (str(trail), trail.last) == ("not seen", "It was never read.")
    for state in ("READY", "STOP_IN_PROGRESS", "STOP_IN_PROGRESS", None, "STOPPED"):
        trail.see(session(state))
        clock.advance(1)
    assert str(trail) == "READY -> STOP_IN_PROGRESS -> UNKNOWN -> STOPPED"
    assert shown == [
        "artist-1: READY after 0.0 s",
        "artist-1: STOP_IN_PROGRESS after 1.0 s",
        "artist-1: UNKNOWN after 3.0 s",
        "artist-1: STOPPED after 4.0 s",
    ]
    assert trail.seconds == 5


def test_in_a_pipe_each_state_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The lines go to standard error."""
    with follow("artist-1", Settings()) as trail:
        trail.see(session("READY"))
    out, err = capsys.readouterr()
    assert (out, err.startswith("artist-1: READY after ")) == ("", True)


def test_programs_get_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """With JSON output nothing is shown on the way."""
    with follow("artist-1", Settings(output=Output.JSON)) as trail:
        trail.see(session("READY"))
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal_one_line_moves(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The state stands beside a clock, and the line is taken away in the end."""
    as_terminal("stderr")
    with follow("artist-1", Settings()) as trail:
        trail.see(session("STOP_IN_PROGRESS"))
    err = capsys.readouterr().err
    assert "artist-1: STOP_IN_PROGRESS ... " in plain(err)
    assert err.endswith("\x1b[2K")


def test_log_lines_take_the_place_of_the_moving_line(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """With --debug the terminal scrolls."""
    as_terminal("stderr")
    with follow("artist-1", Settings(debug=True)) as trail:
        trail.see(session("READY"))
    assert "\x1b" not in capsys.readouterr().err


def test_the_outcome_is_told_at_a_glance(capsys: pytest.CaptureFixture[str]) -> None:
    """Which session, its states, its volumes and the time."""
    trail = Trail("artist-1", lambda _: None, lambda: 0)
    trail.see(session("STOPPED"))
    stopped = StreamingSession(state=StreamingSessionState.STOPPED)
    write_outcome(stopped, trail, Settings())
    assert capsys.readouterr().out == (
        "session  artist-1\nstates   STOPPED\nvolumes  not told by the service\ntook     0.0 s\n"
    )


def test_the_outcome_for_programs_is_the_session(capsys: pytest.CaptureFixture[str]) -> None:
    """It has the members and the spelling of the API."""
    trail = Trail("artist-1", lambda _: None)
    write_outcome(session("STOPPED"), trail, Settings(output=Output.JSONL))
    assert capsys.readouterr().out == '{"state": "STOPPED"}\n'
