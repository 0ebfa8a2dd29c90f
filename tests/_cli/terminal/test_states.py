from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop import StreamingSession, StreamingSessionState
from nimble_stop._cli.terminal.states import StateHistory, show_states
from tests._cli.support import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.support.clock import ManualClock


def session(state: str | None) -> StreamingSession:
    """Make a session in a state."""
    return StreamingSession(state=None if state is None else StreamingSessionState(state))


def test_the_history_keeps_the_states_in_their_order(
    clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A state that is read again counts once, and every change is shown with its time."""
    shown: list[str] = []
    history = StateHistory("artist-1", shown.append, lambda: clock.monotonic)
    for state in ("READY", "STOP_IN_PROGRESS", "STOP_IN_PROGRESS", None, "STOPPED"):
        history.add(session(state))
        clock.advance(1)
    history.write(session("STOPPED"))
    assert capsys.readouterr().out == (
        "session  artist-1\n"
        "states   READY -> STOP_IN_PROGRESS -> UNKNOWN -> STOPPED\n"
        "volumes  not given by the service\n"
        "took     5.0 s\n"
    )
    assert shown == [
        "artist-1: READY after 0.0 s",
        "artist-1: STOP_IN_PROGRESS after 1.0 s",
        "artist-1: UNKNOWN after 3.0 s",
        "artist-1: STOPPED after 4.0 s",
    ]


def test_in_a_pipe_each_state_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The lines go to standard error."""
    with show_states("artist-1", quiet=False, plain=False) as history:
        history.add(session("READY"))
    out, err = capsys.readouterr()
    assert (out, err.startswith("artist-1: READY after ")) == ("", True)


def test_programs_get_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody reads it, nothing is shown on the way."""
    with show_states("artist-1", quiet=True, plain=False) as history:
        history.add(session("READY"))
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal_one_line_moves(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The state stands beside a clock, and the line is taken away in the end."""
    as_terminal("stderr")
    with show_states("artist-1", quiet=False, plain=False) as history:
        history.add(session("STOP_IN_PROGRESS"))
    err = capsys.readouterr().err
    assert "artist-1: STOP_IN_PROGRESS" in plain(err)
    assert err.endswith("\x1b[2K")


def test_other_lines_take_the_place_of_the_moving_line(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """With log lines in it the terminal scrolls."""
    as_terminal("stderr")
    with show_states("artist-1", quiet=False, plain=True) as history:
        history.add(session("READY"))
    assert "\x1b" not in capsys.readouterr().err


def test_a_session_that_was_not_read_has_no_states(capsys: pytest.CaptureFixture[str]) -> None:
    """Which session, its volumes and the time are written all the same."""
    StateHistory("artist-1", lambda _: None, lambda: 0).write(session("STOPPED"))
    assert "states   not read\n" in capsys.readouterr().out
