from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

import nimble_stop
from nimble_stop._call.deadline import Deadline
from nimble_stop._cli.stopping.run import Counts, OneSession
from nimble_stop._client.base import bounded
from nimble_stop.local import Latency, ResetAfterChange, ServiceFailure, StopFails
from tests._cli.support import STUDIO, make_result, resume_of, start_again

if TYPE_CHECKING:
    from pathlib import Path

    from nimble_stop import NimbleClient
    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli
    from tests.support.clock import ManualClock

STOP = "StopStreamingSession"


def test_the_states_are_reported(studio: LocalNimble, cli: Cli) -> None:
    """A person sees what the session was, what it went through, its volumes and the time."""
    ran = cli("stop", STUDIO, "artist-1", "--retention", "delete", "--yes", "--wait")
    assert ran.code == 0
    assert ran.out.startswith(
        "session  artist-1\n"
        "states   READY -> STOP_IN_PROGRESS -> STOPPED\n"
        "volumes  deleted\n"
        "took     "
    )
    assert [line.split()[1] for line in ran.err.splitlines()] == [
        "READY",
        "STOP_IN_PROGRESS",
        "STOPPED",
    ]
    studio.requests.assert_stopped_once("artist-1")


@pytest.mark.nimble_local(transition_seconds=None)
def test_without_wait_the_stop_has_only_begun(studio: LocalNimble, cli: Cli) -> None:
    """The command ends as soon as the service has answered."""
    ran = cli("stop", STUDIO, "artist-1")
    assert ran.code == 0
    assert "READY -> STOP_IN_PROGRESS\nvolumes  will be retained\n" in ran.out
    assert studio.sessions[STUDIO, "artist-1"].state == "STOP_IN_PROGRESS"


@pytest.mark.parametrize("output", ["table", "json", "jsonl"])
def test_the_output_does_not_decide_what_is_sent(
    output: str, studio: LocalNimble, cli: Cli
) -> None:
    """A person and a program cost the service the same requests."""
    ran = cli("stop", STUDIO, "artist-1", "--output", output)
    assert ran.code == 0
    assert [record.operation for record in studio.requests] == [
        "GetStreamingSession",
        "StopStreamingSession",
    ]
    if output != "table":
        assert ran.json["state"] == "STOP_IN_PROGRESS"
        assert ran.err == ""


def test_a_session_that_may_not_be_read_can_be_stopped(studio: LocalNimble, cli: Cli) -> None:
    """The session is read before the stop only if that is allowed."""
    studio.inject(ServiceFailure("AccessDeniedException"), operation="GetStreamingSession")
    ran = cli("stop", STUDIO, "artist-1")
    assert ran.code == 0
    assert "states   STOP_IN_PROGRESS\n" in ran.out


def test_a_refusal_is_final(studio: LocalNimble, cli: Cli) -> None:
    """What cannot succeed by repeating it comes without the command that repeats it."""
    for session_id in ("nobody", "review-room"):
        ran = cli("stop", STUDIO, session_id)
        assert (ran.code, ran.out) == (254, "")
        assert "--run-id" not in ran.err
    studio.requests.assert_applied(0, operation="StopStreamingSession")


def test_an_unknown_outcome_is_resumed_with_the_run_id(studio: LocalNimble, cli: Cli) -> None:
    """The command that the message shows ends the matter, and nothing happens twice."""
    studio.inject(ResetAfterChange(), operation="StopStreamingSession")
    ran = cli("stop", STUDIO, "artist-1")
    assert ran.code == 255
    command = shlex.split(ran.err.splitlines()[-1].partition("To resume: ")[2])
    assert command[0] == "nimble-stop"
    studio.clear_faults()
    again = cli(*command[1:])
    assert again.code == 0
    assert "This run had stopped it before; nothing was done twice." in again.err
    studio.requests.assert_stopped_once("artist-1")
    studio.requests.assert_one_token("artist-1")


@pytest.mark.parametrize("more", [[], ["--wait"], ["--output", "json"], ["--output", "jsonl"]])
def test_a_named_session_that_was_started_again_is_no_success(
    more: list[str], studio: LocalNimble, cli: Cli
) -> None:
    """The service takes the same run id for a repetition and stops nothing, which is an error."""
    words = ("stop", STUDIO, "artist-1", "--run-id", "run-1")
    assert cli(*words, "--wait").code == 0
    start_again(studio, "artist-1")
    ran = cli(*words, *more)
    assert (ran.code, ran.out) == (255, "")
    assert "Session 'artist-1' is READY and was not stopped." in ran.err
    assert "Run run-1 had stopped it before, and it was started again: stop it with" in ran.err
    studio.requests.assert_stopped_once("artist-1")
    assert cli("stop", STUDIO, "artist-1", "--run-id", "run-2").code == 0


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_repetition_that_finds_a_failed_stop_is_no_success(
    output: str, studio: LocalNimble, cli: Cli
) -> None:
    """The service repeats its first answer, and the session is in STOP_FAILED all the same."""
    studio.inject(StopFails(), session_id="artist-1")
    words = ("stop", STUDIO, "artist-1", "--run-id", "run-1", "--output", output)
    assert cli(*words).code == 0
    ran = cli(*words)
    assert (ran.code, ran.out) == (255, "")
    assert "failed to stop" in ran.err


def test_the_token_is_the_one_of_a_run(
    studio: LocalNimble, cli: Cli, nimble_client: NimbleClient
) -> None:
    """One session or several, the same run id makes the same token."""
    assert cli("stop", STUDIO, "artist-1", "--run-id", "run-1", "--retention", "RETAIN").code == 0
    (result,) = nimble_client.stop_sessions(
        STUDIO, ["artist-1"], run_id="run-1", retention="RETAIN"
    )
    assert result.error is None
    studio.requests.assert_stopped_once("artist-1")


@pytest.mark.nimble_local(transition_seconds=None)
def test_the_deadline_covers_the_wait(studio: LocalNimble, cli: Cli) -> None:
    """A session that does not stop in time ends with 124 and the command that resumes."""
    ran = cli("stop", STUDIO, "artist-1", "--wait", "--deadline", "0.3", "--output", "jsonl")
    assert (ran.code, ran.out) == (124, "")
    assert ran.error["exitCode"] == 124
    assert "--run-id" in ran.error["error"]["next"]
    assert studio.requests


@pytest.mark.nimble_local(transition_seconds=None)
def test_a_deadline_that_the_stop_used_up_ends_the_wait(
    studio: LocalNimble, clock: ManualClock, nimble_client: NimbleClient
) -> None:
    """Where no time is left, the whole deadline is said to be over, and what was known last."""
    assert studio.sessions
    deadline = Deadline(60, lambda: clock.monotonic)
    clock.advance(60)
    stopping = nimble_client.stop_session(STUDIO, "artist-1")
    session = OneSession(bounded(nimble_client, deadline), STUDIO, "artist-1", lambda _: None)
    with pytest.raises(
        nimble_stop.DeadlineExceededError,
        match=r"The deadline of 60 s is over .* It was STOP_IN_PROGRESS when last read",
    ):
        session.wait_until_stopped(deadline, 1, stopping)


def test_an_interrupt_shows_how_to_resume(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with 130 and the exact command."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nimble_stop.NimbleClient.wait_until_stopped", interrupt)
    ran = cli("stop", STUDIO, "artist-1", "--wait", "--run-id", "run-1")
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == (
        "nimble-stop: Interrupted. "
        f"To resume: nimble-stop stop {STUDIO} artist-1 --wait --run-id run-1"
    )
    assert studio.requests


@pytest.mark.nimble_local(transition_seconds=None)
def test_a_stop_that_is_terminated_shows_how_to_resume(studio: LocalNimble) -> None:
    """SIGTERM, as timeout(1) and systemd send it, ends as Ctrl-C does."""
    with subprocess.Popen(
        [sys.executable, "-m", "nimble_stop", "stop", STUDIO, "artist-1", "--wait"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("STOP_IN_PROGRESS" in line for line in process.stderr)
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Interrupted. To resume: nimble-stop stop" in err
    assert studio.requests


def test_the_librarys_own_deadline_is_reported(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --deadline a wait ends all the same, and the run can be resumed."""

    def exceed(*_: object, **__: object) -> None:
        raise nimble_stop.DeadlineExceededError("The deadline of 900 s is over.")

    monkeypatch.setattr("nimble_stop.NimbleClient.wait_until_stopped", exceed)
    ran = cli("stop", STUDIO, "artist-1", "--wait")
    assert ran.code == 124
    assert "The deadline of 900 s is over" in ran.err
    assert "--run-id" in ran.err
    assert studio.requests


def test_an_empty_run_id_is_refused(cli: Cli) -> None:
    """It would name nothing."""
    assert cli("stop", STUDIO, "artist-1", "--run-id", "").code == 2


def test_an_invalid_id_is_a_failure_of_its_own(studio: LocalNimble, cli: Cli) -> None:
    """The valid ones are stopped all the same."""
    ran = cli("stop", STUDIO, "..", "artist-1")
    assert ran.code == 1
    studio.requests.assert_stopped_once("artist-1")


def test_without_credentials_there_is_one_error(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not repeated for every session."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    ran = cli("stop", STUDIO, "artist-1", "artist-2", "artist-3")
    assert (ran.code, ran.out) == (253, "")
    assert ran.err.count("There are no credentials") == 1
    assert not studio.requests


def test_fail_fast_begins_nothing_after_a_failure(studio: LocalNimble, cli: Cli) -> None:
    """What has not begun is reported as such."""
    ran = cli(
        "stop", STUDIO, "nobody", "artist-1", "artist-2", "--fail-fast", "--max-concurrency", "1"
    )
    assert ran.code == 1
    assert "1 failed" in ran.err
    assert "not begun" in ran.err
    assert len(studio.requests) < 3


@pytest.mark.nimble_local(transition_seconds=None)
def test_the_deadline_ends_a_run(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is under way is reported as it is, and the exit code is 124."""

    class TimerUntilAllAreStopping(threading.Timer):
        """A deadline that is over when every session is being stopped, however long that takes."""

        def run(self) -> None:
            while any(session.state == "READY" for session in studio.sessions.values()):
                time.sleep(0.01)
            self.function()

    monkeypatch.setattr(threading, "Timer", TimerUntilAllAreStopping)
    ran = cli("stop", STUDIO, "--all", "--wait", "--deadline", "1000")
    assert ran.code == 124
    assert ran.out.count("STOP_IN_PROGRESS") == 3
    assert "The deadline of 1000 s is over: 3 STOP_IN_PROGRESS." in ran.err
    assert resume_of(ran.err)[:4] == ["stop", STUDIO, "--all", "--wait"]


def test_a_request_that_takes_too_long_ends_a_run_too(studio: LocalNimble, cli: Cli) -> None:
    """The deadline bounds every single request."""
    studio.inject(Latency(20), operation=STOP, session_id="artist-1")
    ran = cli("stop", STUDIO, "artist-1", "artist-2", "--deadline", "1")
    assert ran.code == 124
    assert "artist-2: STOP_IN_PROGRESS" in ran.out


@pytest.mark.nimble_local(transition_seconds=None)
def test_a_run_is_resumed(studio: LocalNimble, cli: Cli) -> None:
    """Repeating it with its id takes up what it began; what others began is no failure."""
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-3", times=1)
    assert cli("stop", STUDIO, "--all", "--run-id", "run-1").code == 1
    studio.add_session(studio_id=STUDIO, session_id="elsewhere", state="STOP_IN_PROGRESS")
    ran = cli("stop", STUDIO, "--all", "--run-id", "run-1")
    assert ran.code == 0
    lines = dict(line.split(": ", 1) for line in ran.out.splitlines())
    assert set(lines) == {"artist-1", "artist-2", "artist-3", "elsewhere"}
    assert lines["elsewhere"].startswith("STOP_IN_PROGRESS")
    for number in (1, 2, 3):
        studio.requests.assert_stopped_once(f"artist-{number}")


@pytest.mark.parametrize("more", [[], ["--wait"]])
@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_session_that_was_started_again_is_reported(
    seconds: float, more: list[str], studio: LocalNimble, cli: Cli
) -> None:
    """The run cannot stop it any more, however soon it comes, and the advice is a new run id."""
    words = ("stop", STUDIO, "artist-1", "artist-2", *more, "--run-id", "run-1")
    assert cli(*words).code == 0
    start_again(studio, "artist-1", seconds=seconds)
    ran = cli(*words)
    assert ran.code == 1
    lines = dict(line.split(": ", 1) for line in ran.out.splitlines())
    assert "stop it with another --run-id" in lines["artist-1"]
    assert not lines["artist-2"].startswith("failed")


def test_who_may_not_read_a_session_stops_it_again(studio: LocalNimble, cli: Cli) -> None:
    """What cannot be checked is believed."""
    words = ("stop", STUDIO, "artist-1", "artist-2", "--run-id", "run-1")
    studio.inject(ServiceFailure("InternalServerErrorException"), operation=STOP, times=6)
    assert cli(*words).code == 1
    studio.inject(ServiceFailure("AccessDeniedException"), operation="GetStreamingSession")
    assert cli(*words).code == 0
    studio.requests.assert_stopped_once("artist-1")


@pytest.mark.nimble_local(transition_seconds=None)
def test_a_run_that_waits_waits_for_what_others_have_begun(studio: LocalNimble, cli: Cli) -> None:
    """Whose stop it is does not matter: the command ends well when the session is STOPPED."""
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-1", times=1)
    words = ("stop", STUDIO, "--all", "--run-id", "run-1")
    assert cli(*words).code == 1
    studio.complete_all()
    # Somebody else stops the one that the run could not.
    assert cli("stop", STUDIO, "artist-1").code == 0
    timer = threading.Timer(0.5, studio.complete_all)
    timer.start()
    ran = cli(*words, "--wait")
    timer.join()
    assert ran.code == 0
    assert "artist-1: STOPPED" in ran.out
    studio.requests.assert_stopped_once("artist-1")


@pytest.mark.nimble_local(transition_seconds=None)
def test_an_interrupt_ends_the_wait_for_others_too(studio: LocalNimble, cli: Cli) -> None:
    """The session is shown as it is, and the command that resumes as ever."""
    studio.add_session(studio_id="s", session_id="x", state="STOP_IN_PROGRESS")

    def interrupt_when_it_is_polled() -> None:
        while not studio.requests.matching(operation="GetStreamingSession"):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_when_it_is_polled, daemon=True)
    thread.start()
    ran = cli("stop", "s", "--all", "--wait", "--run-id", "run-1")
    thread.join(30)
    assert ran.code == 130
    assert "x: STOP_IN_PROGRESS" in ran.out


@pytest.mark.nimble_local(transition_seconds=None)
def test_a_stop_of_others_that_fails_is_a_failure(studio: LocalNimble, cli: Cli) -> None:
    """The session was named by the run, and it is not STOPPED."""
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-1", times=1)
    words = ("stop", STUDIO, "--all", "--run-id", "run-1")
    assert cli(*words).code == 1
    studio.complete_all()
    studio.inject(StopFails(), session_id="artist-1")
    assert cli("stop", STUDIO, "artist-1").code == 0
    timer = threading.Timer(0.5, studio.complete_all)
    timer.start()
    ran = cli(*words, "--wait")
    timer.join()
    assert ran.code == 1
    assert "artist-1: failed: Session 'artist-1' failed to stop" in ran.out


@pytest.mark.nimble_local(transition_seconds=None)
def test_an_interrupted_run_shows_everything(studio: LocalNimble, cli: Cli) -> None:
    """Every session that was begun is reported, and the command that resumes is shown."""

    def interrupt_when_all_are_stopping() -> None:
        while any(session.state == "READY" for session in studio.sessions.values()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_when_all_are_stopping, daemon=True)
    thread.start()
    ran = cli("stop", STUDIO, "--all", "--wait")
    thread.join(30)
    assert ran.code == 130
    assert ran.out.count("STOP_IN_PROGRESS") == 3
    assert "Interrupted; " in ran.err
    assert ran.err.splitlines()[-1].startswith("nimble-stop: Interrupted. To resume: ")
    studio.complete_all()
    assert cli(*resume_of(ran.err)).code == 0


def test_a_repeated_run_accounts_for_every_session(studio: LocalNimble, cli: Cli) -> None:
    """It ends well only when all that it has named before are STOPPED, whatever became of them."""
    for number in range(4, 9):
        studio.add_session(studio_id=STUDIO, session_id=f"artist-{number}")
    studio.inject(StopFails(), session_id="artist-1")
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-2", times=1)
    words = ("stop", STUDIO, "--all", "--wait", "--run-id", "run-1")
    assert cli(*words).code == 1
    start_again(studio, "artist-3")
    ran = cli(*words)
    assert ran.code == 1
    lines = dict(line.split(": ", 1) for line in ran.out.splitlines())
    assert set(lines) == {f"artist-{number}" for number in range(1, 9)}
    assert "failed to stop" in lines["artist-1"]
    assert lines["artist-2"].startswith("STOPPED")
    assert "another --run-id" in lines["artist-3"]
    assert lines["artist-4"].startswith("STOPPED, by this run before")
    for number in (2, 3, 4):
        studio.requests.assert_stopped_once(f"artist-{number}")


@pytest.mark.parametrize("state", ["DELETED", "START_IN_PROGRESS", None])
@pytest.mark.nimble_local(transition_seconds=None)
def test_a_session_that_is_no_more_stopped_is_a_failure_of_the_run(
    state: str | None, studio: LocalNimble, cli: Cli
) -> None:
    """Deleted, started or gone: the run had named it, and it is not STOPPED."""
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-1", times=1)
    words = ("stop", STUDIO, "--all", "--run-id", "run-1")
    assert cli(*words).code == 1
    studio.reset()
    if state is not None:
        studio.add_session(studio_id=STUDIO, session_id="artist-1", state=state)
    for number in (2, 3):
        studio.add_session(studio_id=STUDIO, session_id=f"artist-{number}", state="STOPPED")
    ran = cli(*words)
    assert ran.code == 1
    assert "artist-1: failed: " in ran.out
    assert ran.out.count("STOPPED, by this run before") == 2
    studio.requests.assert_applied(0, operation=STOP)


def test_filters_do_not_hide_what_the_run_has_named(studio: LocalNimble, cli: Cli) -> None:
    """A session that does not fit any more is accounted for, and stopped if it runs."""
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-1", times=1)
    assert cli("stop", STUDIO, "artist-1", "artist-2", "--run-id", "run-1").code == 1
    words = ("stop", STUDIO, "--all", "--tag", "department=lighting", "--wait")
    assert cli(*words, "--run-id", "run-1").code == 0
    studio.requests.assert_stopped_once("artist-1")


def test_a_session_that_another_run_has_named_is_none_of_this_ones(
    studio: LocalNimble, cli: Cli
) -> None:
    """Each run id has its own account."""
    studio.inject(StopFails(), session_id="artist-1")
    assert cli("stop", STUDIO, "--all", "--wait", "--run-id", "run-1").code == 1
    assert cli("stop", STUDIO, "--all", "--wait", "--run-id", "run-2").code == 0


def test_a_dry_run_of_a_repetition_shows_what_it_accounts_for(
    studio: LocalNimble, cli: Cli
) -> None:
    """Nothing is stopped, and a stop that has failed is a problem."""
    studio.inject(StopFails(), session_id="artist-1")
    words = ("stop", STUDIO, "--all", "--wait", "--run-id", "run-1")
    assert cli(*words).code == 1
    ran = cli(*words, "--dry-run")
    assert ran.code == 1
    assert "artist-1: " in ran.err
    assert "Dry run: 0 sessions would be stopped" in ran.err


def test_the_endpoint_in_memory_keeps_no_record(cli: Cli, state_home: Path) -> None:
    """Its sessions end with the command."""
    assert cli("--local", "stop", "demo-studio", "--all", "--run-id", "run-1").code == 0
    assert not state_home.exists()


def test_one_deadline_is_for_the_whole_command(studio: LocalNimble, cli: Cli) -> None:
    """What the first of two stops has used is not there for the second."""
    studio.inject(Latency(0.5), operation=STOP, session_id="artist-1")
    studio.inject(Latency(20), operation=STOP, session_id="artist-2")
    words = ("stop", STUDIO, "artist-1", "artist-2", "--max-concurrency", "1", "--deadline", "0.8")
    ran = cli(*words, "--output", "jsonl")
    assert ran.code == 124
    late = next(result for result in ran.lines if result["sessionId"] == "artist-2")
    assert late["error"]["message"].startswith("The deadline of 0.8 s is over")


def test_every_session_is_counted() -> None:
    """Every session is in exactly one of the counts, at any time."""
    counts = Counts(10)
    assert counts.in_words == "10 not begun"
    ids = counts.feed(str(number) for number in range(10))
    for _ in range(6):
        next(ids)
    counts.add(make_result())
    counts.add(make_result(state="STOP_IN_PROGRESS", repeated=True))
    counts.add(make_result(state=None))
    counts.add(make_result(error=nimble_stop.ConflictException("busy")))
    assert counts.in_words == (
        "1 STOPPED, 1 STOP_IN_PROGRESS, 1 UNKNOWN, 1 failed, 2 under way, 4 not begun"
    )
    assert (counts.ended, counts.repeated) == (4, 1)
    assert not counts.deadline_exceeded
    counts.add(make_result(error=nimble_stop.DeadlineExceededError("late")))
    assert counts.deadline_exceeded


def test_the_summary_shows_the_whole() -> None:
    """Studio, counts, volumes, what was repeated, the time, and the run's id."""
    counts = Counts(2)
    list(counts.feed(["a", "b"]))
    counts.add(make_result())
    counts.add(make_result(state="STOP_IN_PROGRESS", repeated=True))
    assert counts.rows("studio-1", "run-1", 61) == {
        "studio": "studio-1",
        "sessions": "1 STOPPED, 1 STOP_IN_PROGRESS",
        "volumes": "1 retained, 1 will be retained",
        "repeated": "1 that this run had stopped before",
        "took": "1 min 1 s",
        "run id": "run-1",
    }
    assert Counts(0).rows("s", "r", 0)["repeated"] == ""


def test_what_no_stop_is_sent_for_has_begun_already() -> None:
    """It is neither under way nor waiting to begin once its result is there."""
    counts = Counts(2, begun=1)
    assert counts.in_words == "1 under way, 1 not begun"
    counts.add(make_result(repeated=True))
    assert counts.in_words == "1 STOPPED, 1 not begun"


def test_failures_that_no_repetition_mends_are_counted() -> None:
    """A stop that failed, and a session that was started again, stay as they are."""
    counts = Counts(3)
    for error in (
        nimble_stop.StopFailedError("x"),
        nimble_stop.UnexpectedStateError("x"),
        nimble_stop.ThrottlingException("x"),
    ):
        counts.add(make_result(error=error))
    assert (counts.failed, counts.final) == (3, 2)
