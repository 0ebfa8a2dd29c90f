from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from nimble_stop._cli import child_process
from nimble_stop._cli.child_process import child_runner
from tests._cli.support import run_in_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Counts the interrupts that it gets, and ends a while after the first with their number.
COUNTING = """
import signal, sys, time
got = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda number, _: got.append(number))
print("ready", flush=True)
while not got:
    time.sleep(0.01)
time.sleep(0.3)
print(*got, flush=True)
sys.exit(10 + len(got))
"""
SERVE = (sys.executable, "-m", "nimble_stop", "serve", "--")


@pytest.fixture(autouse=True)
def _hang_up() -> Iterator[None]:
    """Give SIGHUP its own meaning, also where the tests run under ``nohup``."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, previous)


def run(*words: str) -> int:
    """Run a program of ours in this process."""
    command = [sys.executable, *words]
    with child_runner() as run_child:
        return run_child(sys.executable, command, os.environ)


@pytest.mark.parametrize("code", [0, 1, 2, 126, 255])
def test_the_exit_code_is_passed_on(code: int) -> None:
    """Whatever the program ends with."""
    assert run("-c", f"raise SystemExit({code})") == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_signal_that_ended_the_program_is_reported_as_a_shell_does(number: int) -> None:
    """It is 128 and the signal's number, whoever had sent it."""
    program = f"import os, signal; signal.signal({number}, signal.SIG_DFL)" if number != 9 else ""
    assert run("-c", f"{program}\nimport os; os.kill(os.getpid(), {number})") == 128 + number


def test_the_signals_are_put_back() -> None:
    """After the program a signal does what it did before, and none is kept for later."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with child_runner():
        os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


@pytest.mark.parametrize("code", [0, 3])
def test_a_system_without_waiting_for_signals_runs_it_too(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code is passed on, and the handlers are put back."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(child_process, "_CAN_WAIT_FOR_SIGNALS", False)
    program = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    assert run("-c", program) == 128 + signal.SIGTERM
    assert run("-c", f"raise SystemExit({code})") == code
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_to_this_process_reaches_the_program() -> None:
    """It is passed on while the program runs, and ends it as if it was sent to the program."""
    program = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    assert run("-c", program) == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize("holding", [True, False])
def test_a_signal_for_this_process_is_passed_on(number: int, *, holding: bool) -> None:
    """The program gets it once, and ends as it likes; also where signals cannot be waited for."""
    program = "" if holding else "import signal; del signal.sigtimedwait\n"
    program += "import sys; from nimble_stop.__main__ import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--", sys.executable, "-c", COUNTING],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        try:
            out, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out) == (11, f"{number:d}\n")


def test_what_is_ignored_stays_ignored() -> None:
    """The program goes on when its terminal is closed, where ``nohup`` has started us."""
    program = "import signal; raise SystemExit(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run("-c", program) == 1
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_ctrl_c_at_the_terminal_comes_once() -> None:
    """The terminal has sent it to the program already."""
    pressed: list[bool] = []

    def press_ctrl_c(shown: str) -> bytes:
        if "ready\n" not in shown.replace("\r", "") or pressed:
            return b""
        pressed.append(True)
        return b"\x03"

    words = ("serve", "--", sys.executable, "-c", COUNTING)
    code, shown = run_in_terminal(words, type_in=press_ctrl_c)
    assert code == 11
    # The terminal echoes the key itself.
    assert shown.splitlines()[-1].removeprefix("^C") == "2"


def test_nothing_is_left_of_a_program_that_was_ended(tmp_path: Path) -> None:
    """Who ends this process by a signal ends the program with it."""
    file = tmp_path / "pid"
    program = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with subprocess.Popen([*SERVE, sys.executable, "-c", program]) as process:
        while not (file.exists() and file.read_text(encoding="ascii")):
            time.sleep(0.01)
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text(encoding="ascii")), 0)
