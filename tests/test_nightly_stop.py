"""The scripts of the page on the night: what they report is true, whatever happened before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from nimble_stop.local import Latency, ServiceFailure, StopFails
from tests._cli.support import start_again

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble

EXAMPLES = Path(__file__).parent / "examples"
STUDIO = "studio-1"
STOP = "StopStreamingSession"


@attrs.frozen
class Night:
    """Runs a script as cron does, but without its pauses."""

    words: tuple[str, ...]
    environment: dict[str, str]

    def start(self) -> subprocess.Popen[str]:
        """Start the script."""
        return subprocess.Popen(
            self.words,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self) -> tuple[int, str]:
        """Run the script, and give its exit code and what cron would mail."""
        with self.start() as process:
            mail, _ = process.communicate(timeout=120)
        return process.returncode, mail


@pytest.fixture(params=["sh", "py"])
def night(request: pytest.FixtureRequest, tmp_path: Path, nimble_local: LocalNimble) -> Night:
    """Give each of the scripts, a home of its own, and a sleep that takes no time."""
    assert nimble_local.endpoint_url
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (
        ("sleep", "exit 0"),
        ("nimble-stop", f'exec "{sys.executable}" -m nimble_stop "$@"'),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
        (programs / name).chmod(0o755)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(EXAMPLES.parent.parent),
    }
    environment.pop("XDG_STATE_HOME", None)
    interpreter = "bash" if request.param == "sh" else sys.executable
    script = str(EXAMPLES / f"nightly_stop.{request.param}")
    return Night((interpreter, script, STUDIO), environment)


def add_sessions(local: LocalNimble, number: int) -> None:
    """Add sessions that are ready."""
    for each in range(number):
        local.add_session(studio_id=STUDIO, session_id=f"s-{each:03}")


def states(local: LocalNimble) -> dict[str, str]:
    """Give the state of each session."""
    return {session_id: str(each.state) for (_, session_id), each in local.sessions.items()}


def test_a_good_night_mails_nothing(night: Night, nimble_local: LocalNimble) -> None:
    """Everything has stopped, and whoever gets cron's mail sleeps on."""
    add_sessions(nimble_local, 5)
    assert night.run() == (0, "")
    assert set(states(nimble_local).values()) == {"STOPPED"}


@pytest.mark.nimble_local(transition_seconds=0.1)
def test_ten_stops_of_two_hundred_that_fail_are_reported(
    night: Night, nimble_local: LocalNimble
) -> None:
    """No attempt takes the ten that are in STOP_FAILED for done, however often it is repeated."""
    add_sessions(nimble_local, 200)
    failing = {f"s-{number:03}" for number in range(0, 200, 20)}
    for session_id in failing:
        nimble_local.inject(StopFails(), session_id=session_id)
    for _ in range(2):
        code, mail = night.run()
        assert code == 1
        reported = {line.partition(":")[0] for line in mail.splitlines()}
        assert failing <= reported
        assert not reported & (set(states(nimble_local)) - failing)


def test_ten_refusals_of_two_hundred_are_made_good(night: Night, nimble_local: LocalNimble) -> None:
    """What a later attempt stops is no failure of the night."""
    add_sessions(nimble_local, 200)
    for number in range(0, 200, 20):
        nimble_local.inject(
            ServiceFailure("AccessDeniedException"),
            operation=STOP,
            session_id=f"s-{number:03}",
            times=1,
        )
    code, mail = night.run()
    if night.words[0] != "bash":
        # The program in Python makes one attempt; cron or its caller makes the next.
        assert (code, mail.count("AccessDeniedException")) == (1, 10)
        code, mail = night.run()
    assert (code, mail) == (0, "")
    assert set(states(nimble_local).values()) == {"STOPPED"}


def test_a_kill_in_the_middle_loses_no_session(night: Night, nimble_local: LocalNimble) -> None:
    """The next attempt accounts for all that the killed one had named, done or not."""
    add_sessions(nimble_local, 60)
    nimble_local.inject(Latency(0.2), operation=STOP)
    # This one is stopped by the killed attempt, and its stop fails.
    nimble_local.inject(StopFails(), session_id="s-000")
    with night.start() as process:
        while "STOP_FAILED" not in states(nimble_local).values():
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert "READY" in states(nimble_local).values()
    code, mail = night.run()
    assert code == 1
    assert mail.startswith("s-000: ")
    assert sum(state != "STOPPED" for state in states(nimble_local).values()) == 1


def test_a_session_that_somebody_started_again_is_reported(
    night: Night, nimble_local: LocalNimble
) -> None:
    """The night's run had stopped it, does not stop it twice, and does not call that a success."""
    add_sessions(nimble_local, 3)
    assert night.run() == (0, "")
    start_again(nimble_local, "s-001")
    code, mail = night.run()
    assert code == 1
    assert mail.startswith("s-001: ")
    assert "READY" in mail
