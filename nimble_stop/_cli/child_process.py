"""A program that runs under this one: it gets our signals, and its exit code becomes ours.

The terminal sends Ctrl-C to all processes in its foreground, so the program has it already. Any
other signal is for this process alone, and is passed on. Only the kernel knows which is which.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.global_options import usage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from types import FrameType

_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM)
# A shell's exit code for a program that a signal has ended is this and the signal's number.
_SIGNALLED: Final = 128
# How late the end is noticed at most, should the kernel not report it.
_POLL_SECONDS: Final = 1.0
# How late a signal is passed on where signals cannot be waited for.
_SHORT_SECONDS: Final = 0.1


def find_program(command: Sequence[str]) -> str:
    """Find the program that a command names.

    Raises:
        UsageError: There is no such program, or it cannot be run.
    """
    program = shutil.which(command[0])
    if program is None:
        raise usage_error(f"there is no program {command[0]!r} that can be run.")
    return program


@contextmanager
def child_runner() -> Generator[Callable[[str, Sequence[str], Mapping[str, str]], int]]:
    """Keep signals for a program that is going to run; enter it before threads are started.

    The function that it gives runs a program to its end: where it is, its words, its environment.
    It returns the exit code, or as a shell does 128 and the number of the signal that ended it.
    """
    if hasattr(signal, "sigtimedwait"):
        with _held(*_PASSED_ON, signal.SIGCHLD):
            yield _run_holding_signals
    else:
        yield _run_handling_signals


@contextmanager
def _held(*numbers: signal.Signals) -> Generator[None]:
    """Block signals in this thread and in those that it starts, and drop those that came."""
    # Unblocked for a moment while the program is started, they must not end this process.
    previous = {number: signal.signal(number, _ignore) for number in _PASSED_ON}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        while signal.sigtimedwait(numbers, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        for number, handler in previous.items():
            signal.signal(number, handler)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN, a program that is started does not inherit it."""


def _run_holding_signals(
    program: str, command: Sequence[str], environment: Mapping[str, str]
) -> int:
    numbers = (*_PASSED_ON, signal.SIGCHLD)
    # The program inherits what is blocked.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        child = subprocess.Popen(command, executable=program, env=environment)  # noqa: S603  # the user's own
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    while child.poll() is None:
        received = signal.sigtimedwait(numbers, _POLL_SECONDS)
        # A code above zero says that the kernel itself has sent it: sigaction(2).
        if received is not None and received.si_signo in _PASSED_ON and received.si_code <= 0:
            child.send_signal(received.si_signo)
    return _exit_code(child)


def _run_handling_signals(
    program: str, command: Sequence[str], environment: Mapping[str, str]
) -> int:
    """Run a program where the kernel does not say who has sent a signal."""
    received: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in _PASSED_ON
    }
    try:
        child = subprocess.Popen(command, executable=program, env=environment)  # noqa: S603  # likewise
        while child.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_SHORT_SECONDS)
            while received:
                _pass_on(child, received.pop(0))
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return _exit_code(child)


def _pass_on(child: subprocess.Popen[bytes], number: int) -> None:
    # A terminal sends Ctrl-C to the program too, and so does Windows.
    if number == signal.SIGTERM or not (os.name == "nt" or sys.stdin.isatty()):
        child.send_signal(number)


def _exit_code(child: subprocess.Popen[bytes]) -> int:
    return child.returncode if child.returncode >= 0 else _SIGNALLED - child.returncode
