from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop.local import Latency, ServiceFailure
from tests._cli.support import STUDIO, plain, run_in_terminal, start_again

if TYPE_CHECKING:
    from pathlib import Path

    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli

STOP = "StopStreamingSession"


def resume_of(text: str) -> list[str]:
    """Read the command that a message advises, without the program's name."""
    words = shlex.split(text.splitlines()[-1].partition(": nimble-stop ")[2])
    assert words[-2] == "--run-id"
    return words


def test_all_are_stopped_and_told(studio: LocalNimble, cli: Cli) -> None:
    """Results are lines on standard output, and the summary stands on the other side."""
    ran = cli("stop", STUDIO, "--all", "--wait", "--max-concurrency", "2", "--run-id", "run-1")
    assert ran.code == 0
    assert sorted(ran.out.splitlines()) == [
        f"artist-{number}: STOPPED, volumes retained" for number in (1, 2, 3)
    ]
    first, *summary = ran.err.splitlines()
    assert first == "Run run-1: 3 sessions to stop."
    assert summary[:3] == [
        f"studio    {STUDIO}",
        "sessions  3 STOPPED",
        "volumes   3 retained",
    ]
    for number in (1, 2, 3):
        studio.requests.assert_stopped_once(f"artist-{number}")


def test_one_failure_is_told_and_counts(studio: LocalNimble, cli: Cli) -> None:
    """The others are stopped, the exit code is 1, and the advice repeats the failed ones safely."""
    ran = cli("stop", STUDIO, "artist-1", "review-room", "nobody")
    assert ran.code == 1
    lines = dict(line.split(": ", 1) for line in ran.out.splitlines())
    assert lines["artist-1"].startswith("STOP_IN_PROGRESS")
    assert lines["review-room"].startswith("failed: ConflictException")
    assert lines["nobody"].startswith("failed: ResourceNotFoundException")
    assert "Of 3 sessions: 2 failed." in ran.err
    again = cli(*resume_of(ran.err))
    assert again.code == 1
    assert "artist-1: " in again.out
    studio.requests.assert_stopped_once("artist-1")


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_programs_get_an_object_for_each(output: str, studio: LocalNimble, cli: Cli) -> None:
    """Standard output holds results only; the failure is an object on standard error."""
    ran = cli("stop", STUDIO, "artist-1", "nobody", "--output", output)
    results: list[Any] = ran.json if output == "json" else ran.lines
    assert ran.code == 1
    found = {result["sessionId"]: result for result in results}
    assert found["artist-1"]["session"]["state"] == "STOP_IN_PROGRESS"
    assert found["nobody"]["error"]["code"] == "ResourceNotFoundException"
    assert ran.error["error"]["type"] == "SomeFailedError"
    assert "advice" not in ran.error["error"]
    assert studio.requests


def test_an_invalid_id_is_a_failure_of_its_own(studio: LocalNimble, cli: Cli) -> None:
    """The valid ones are stopped all the same."""
    ran = cli("stop", STUDIO, "..", "artist-1")
    assert ran.code == 1
    studio.requests.assert_stopped_once("artist-1")


def test_without_credentials_there_is_one_error(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not told for every session."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    ran = cli("stop", STUDIO, "artist-1", "artist-2", "artist-3")
    assert (ran.code, ran.out) == (253, "")
    assert ran.err.count("There are no credentials") == 1
    assert not studio.requests


def test_fail_fast_begins_nothing_after_a_failure(studio: LocalNimble, cli: Cli) -> None:
    """What has not begun is told as such."""
    ran = cli(
        "stop", STUDIO, "nobody", "artist-1", "artist-2", "--fail-fast", "--max-concurrency", "1"
    )
    assert ran.code == 1
    assert "1 failed" in ran.err
    assert "not begun" in ran.err
    assert len(studio.requests) < 3


@pytest.mark.nimble_local(transition_seconds=None)
def test_the_deadline_ends_a_run(studio: LocalNimble, cli: Cli) -> None:
    """What is under way is told as it is, and the exit code is 124."""
    ran = cli("stop", STUDIO, "--all", "--wait", "--deadline", "1")
    assert ran.code == 124
    assert ran.out.count("STOP_IN_PROGRESS") == 3
    assert "The deadline of 1.0 s is over: 3 STOP_IN_PROGRESS." in ran.err
    assert resume_of(ran.err)[:4] == ["stop", STUDIO, "--all", "--wait"]
    assert studio.requests


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


def test_a_session_that_was_started_again_is_told(studio: LocalNimble, cli: Cli) -> None:
    """The run cannot stop it any more, and the advice is a new run id."""
    words = ("stop", STUDIO, "artist-1", "artist-2", "--wait", "--run-id", "run-1")
    assert cli(*words).code == 0
    start_again(studio, "artist-1")
    ran = cli(*words)
    assert ran.code == 1
    lines = dict(line.split(": ", 1) for line in ran.out.splitlines())
    assert "stop it with another --run-id" in lines["artist-1"]
    assert lines["artist-2"].startswith("STOPPED")


@pytest.mark.nimble_local(transition_seconds=None)
def test_an_interrupted_run_tells_everything(studio: LocalNimble, cli: Cli) -> None:
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


def test_a_second_interrupt_leaves_at_once(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even then what was done is told."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nimble_stop._cli.stopping.counts.Counts.add", interrupt)
    ran = cli("stop", STUDIO, "--all", "--run-id", "run-1")
    assert ran.code == 130
    assert "sessions  " in ran.err
    assert resume_of(ran.err)
    assert studio.requests


def test_in_a_terminal_an_interrupt_leaves_the_picture_whole(studio: LocalNimble) -> None:
    """Ctrl-C is told in a line of its own, and the summary follows."""
    studio.inject(Latency(0.2), operation=STOP)
    for number in range(40):
        studio.add_session(studio_id="big", session_id=f"s-{number}")
    interrupted: list[bool] = []

    def on_output(shown: str, process: subprocess.Popen[bytes]) -> None:
        if "under way" in shown and not interrupted:
            interrupted.append(True)
            process.send_signal(signal.SIGINT)

    code, shown = run_in_terminal(("stop", "big", "--all"), columns=200, on_output=on_output)
    assert code == 130
    assert "Interrupted; the stops under way are being finished." in shown
    assert resume_of(plain(shown))[:3] == ["stop", "big", "--all"]


def test_a_reader_that_goes_away_stops_nothing(studio: LocalNimble) -> None:
    """``| head -1`` leaves no session running."""
    read, written = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "nimble_stop", "stop", STUDIO, "--all"],
        stdout=written,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(written)
    assert process.returncode == 0
    assert "Traceback" not in process.stderr
    studio.requests.assert_applied(3, operation=STOP)


# No file may grow: what is written to one fails as it does on a full disk.
FULL = """
import resource, sys
from nimble_stop.__main__ import main

resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_full_disk_stops_nothing(output: str, studio: LocalNimble, tmp_path: Path) -> None:
    """All sessions are stopped, and the command that tells the results again is shown."""
    with (tmp_path / "results").open("w", encoding="ascii") as full:
        process = subprocess.run(
            [sys.executable, "-c", FULL, "stop", STUDIO, "--all", "--output", output],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 255
    assert f"Reading or writing failed: {os.strerror(errno.EFBIG)}." in process.stderr
    assert "To resume: nimble-stop stop" in process.stderr
    studio.requests.assert_applied(3, operation=STOP)


def test_a_summary_that_nobody_reads_is_no_failure(studio: LocalNimble) -> None:
    """A closed standard error does not matter either."""
    read, written = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "nimble_stop", "stop", STUDIO, "--all"],
        stdout=subprocess.PIPE,
        stderr=written,
        text=True,
        check=False,
    )
    os.close(written)
    assert process.returncode == 0
    assert len(process.stdout.splitlines()) == 3
    assert studio.requests
