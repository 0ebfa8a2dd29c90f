from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import nimble_stop
from nimble_stop._call.deadline import Deadline
from nimble_stop._cli.stopping.single import OneSession
from nimble_stop._client.base import bounded
from nimble_stop.local import ResetAfterChange, ServiceFailure, StopFails
from tests._cli.support import STUDIO, start_again

if TYPE_CHECKING:
    from nimble_stop import NimbleClient
    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli
    from tests.support.clock import ManualClock


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
def test_a_session_that_was_started_again_is_no_success(
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
