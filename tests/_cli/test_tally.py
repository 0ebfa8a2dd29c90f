from __future__ import annotations

from typing import TYPE_CHECKING

import nimble_stop
from nimble_stop import StreamingSession, StreamingSessionState, VolumeRetentionMode
from nimble_stop._cli.tally import Tally, result_line, result_object

if TYPE_CHECKING:
    from tests.support.clock import ManualClock


def result(
    session_id: str = "artist-1",
    *,
    state: str | None = "STOPPED",
    error: nimble_stop.NimbleStopError | None = None,
    repeated: bool = False,
) -> nimble_stop.StopResult:
    """Make a result."""
    session = StreamingSession(
        state=None if state is None else StreamingSessionState(state),
        volume_retention_mode=VolumeRetentionMode.RETAIN,
    )
    return nimble_stop.StopResult(
        session_id=session_id,
        session=None if error else session,
        error=error,
        client_token="token-1",
        attempts=1,
        repeated=repeated,
    )


def test_a_tally_counts_what_becomes_of_each(clock: ManualClock) -> None:
    """Every session is in exactly one of the counts, at any time."""
    tally = Tally(10, lambda: clock.monotonic)
    assert tally.counts == "10 not begun"
    ids = tally.feed(str(number) for number in range(10))
    for _ in range(6):
        next(ids)
    tally.add(result())
    tally.add(result(state="STOP_IN_PROGRESS", repeated=True))
    tally.add(result(state=None))
    tally.add(result(error=nimble_stop.ConflictException("busy")))
    assert tally.counts == (
        "1 STOPPED, 1 STOP_IN_PROGRESS, 1 UNKNOWN, 1 failed, 2 under way, 4 not begun"
    )
    assert (tally.ended, tally.left, tally.repeated) == (4, 4, 1)
    assert not tally.deadline_exceeded
    tally.add(result(error=nimble_stop.DeadlineExceededError("late")))
    assert tally.deadline_exceeded


def test_a_result_without_session_and_error_is_told_too() -> None:
    """A session that was never read counts as ended."""
    bare = nimble_stop.StopResult(
        session_id="x", session=None, error=None, client_token=None, attempts=0
    )
    tally = Tally(1)
    list(tally.feed(["x"]))
    tally.add(bare)
    assert tally.counts == "1 UNKNOWN"
    assert result_line(bare) == "x: UNKNOWN, volumes not told by the service"


def test_the_pace_tells_rate_and_time_left(clock: ManualClock) -> None:
    """The rate so far is taken for the rest; with nothing done yet there is none."""
    tally = Tally(4, lambda: clock.monotonic)
    assert tally.pace == "0 of 4 in 0.0 s"
    clock.advance(2)
    tally.add(result())
    assert tally.pace == "1 of 4 in 2.0 s, 0.5 a second, about 6.0 s left"
    for _ in range(3):
        tally.add(result())
    assert tally.pace == "4 of 4 in 2.0 s, 2.0 a second"


def test_the_summary_tells_the_whole(clock: ManualClock) -> None:
    """Studio, counts, volumes, what was repeated, the time, and the run's id."""
    tally = Tally(2, lambda: clock.monotonic)
    list(tally.feed(["a", "b"]))
    tally.add(result())
    tally.add(result(state="STOP_IN_PROGRESS", repeated=True))
    clock.advance(61)
    assert dict(tally.summary("studio-1", "run-1")) == {
        "studio": "studio-1",
        "sessions": "1 STOPPED, 1 STOP_IN_PROGRESS",
        "volumes": "1 retained, 1 will be retained",
        "repeated": "1 that this run had stopped before",
        "took": "1 min 1 s",
        "run id": "run-1",
    }
    assert dict(Tally(0).summary("s", "r"))["repeated"] == ""


def test_a_result_is_a_line() -> None:
    """A person reads the state and the volumes, or what went wrong and what to do."""
    assert result_line(result("x\x1b")) == "x\\x1b: STOPPED, volumes retained"
    assert result_line(result(repeated=True)) == (
        "artist-1: STOPPED, by this run before, volumes retained"
    )
    assert result_line(result(error=nimble_stop.ConflictException("busy"))) == (
        f"artist-1: failed: ConflictException: busy. {nimble_stop.ConflictException.advice}"
    )


def test_a_result_is_an_object() -> None:
    """A program finds the session or the error, and what it needs to go on."""
    assert result_object(result(), "run-1") == {
        "sessionId": "artist-1",
        "session": {"state": "STOPPED", "volumeRetentionMode": "RETAIN"},
        "error": None,
        "runId": "run-1",
        "clientToken": "token-1",
        "attempts": 1,
        "repeated": False,
    }
    failed = result_object(result(error=nimble_stop.ConflictException("busy")), "run-1")
    assert failed["session"] is None
    assert failed["error"] is not None
