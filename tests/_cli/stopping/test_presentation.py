from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop.local import Latency, ServiceFailure, StopFails
from tests._cli.support import STUDIO, Ran, plain, resume_of, run_in_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli

STOP = "StopStreamingSession"


def test_all_are_stopped_and_reported(studio: LocalNimble, cli: Cli) -> None:
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


def test_one_failure_is_reported_and_counts(studio: LocalNimble, cli: Cli) -> None:
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
    assert ran.error["error"]["advice"] is None
    assert studio.requests


def test_a_second_interrupt_leaves_at_once(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even then what was done is shown."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nimble_stop._cli.stopping.counts.Counts.add", interrupt)
    ran = cli("stop", STUDIO, "--all", "--run-id", "run-1")
    assert ran.code == 130
    assert "sessions  " in ran.err
    assert resume_of(ran.err)
    assert studio.requests


def test_in_a_terminal_an_interrupt_leaves_the_display_whole(studio: LocalNimble) -> None:
    """Ctrl-C is reported in a line of its own, and the summary follows."""
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
    """All sessions are stopped, and the command that shows the results again is there."""
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


def test_nothing_to_stop_is_quiet_too(studio: LocalNimble, cli: Cli) -> None:
    """A night without sessions is a good one."""
    ran = cli("stop", STUDIO, "--all", "--owned-by", "nobody", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert studio.requests


def test_a_quiet_run_of_a_good_night_says_nothing(studio: LocalNimble, cli: Cli) -> None:
    """Whoever gets what it writes gets no mail."""
    assert cli("stop", STUDIO, "--all", "--wait", "--quiet").out == ""
    ran = cli("stop", STUDIO, "--all", "--wait", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert studio.requests


def test_a_quiet_run_of_a_bad_night_says_what_failed_and_why(studio: LocalNimble, cli: Cli) -> None:
    """Nothing else stands between the failures."""
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-2")
    ran = cli("stop", STUDIO, "--all", "--wait", "--quiet")
    assert ran.code == 1
    (line,) = ran.out.splitlines()
    assert line.startswith("artist-2: failed: AccessDeniedException: ")
    (sentence,) = ran.err.splitlines()
    assert sentence.startswith("nimble-stop: Of 3 sessions: 1 failed. To try those again: ")


def test_a_quiet_stop_of_one_session_says_nothing(studio: LocalNimble, cli: Cli) -> None:
    """An error is written all the same, and JSON is whole."""
    assert cli("stop", STUDIO, "artist-1", "--wait", "-q") == Ran(0, "", "")
    ran = cli("stop", STUDIO, "artist-1", "-q")
    assert (ran.code, ran.out) == (254, "")
    assert "ConflictException" in ran.err
    assert cli("stop", STUDIO, "artist-2", "-q", "--output", "json").json["state"]
    assert studio.requests


def test_only_those_that_can_be_stopped_are_tried_again(studio: LocalNimble, cli: Cli) -> None:
    """The command that is shown promises nothing for a stop that has failed for good."""
    studio.inject(StopFails(), session_id="artist-1")
    ran = cli("stop", STUDIO, "--all", "--wait", "--run-id", "run-1")
    assert ran.code == 1
    assert "again" not in ran.err
    studio.add_session(studio_id=STUDIO, session_id="artist-4")
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-4", times=1)
    ran = cli("stop", STUDIO, "--all", "--wait", "--run-id", "run-1")
    assert "Of 4 sessions: 2 failed. To try 1 of those again: " in ran.err
    assert cli(*resume_of(ran.err)).code == 1
    assert studio.sessions[STUDIO, "artist-4"].state == "STOPPED"
