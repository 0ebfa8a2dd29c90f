"""A program that runs under this one: it gets our signals, and its exit code becomes ours.

The terminal sends Ctrl-C to all processes in its foreground, so the program has it already. Any
other signal is for this process alone, and is passed on. Only the kernel knows which is which, and
it says so to a thread that waits for signals, where the system has such a wait.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.global_options import usage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM)
# A shell's exit code for a program that a signal has ended is this and the signal's number.
_SIGNALLED: Final = 128
# How late a signal is noticed that another thread than the waiting one has got.
_POLL_SECONDS: Final = 0.2


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
    received: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in _PASSED_ON
    }
    try:
        with _blocked() if hasattr(signal, "sigtimedwait") else nullcontext():
            yield partial(_run, received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _blocked() -> Generator[None]:
    """Block signals in this thread and in those that it starts."""
    numbers = (*_PASSED_ON, signal.SIGCHLD)
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


@contextmanager
def _unblocked() -> Generator[None]:
    """Unblock signals for a moment, because a program that is started inherits what is blocked."""
    numbers = (*_PASSED_ON, signal.SIGCHLD)
    previous = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _run(
    received: list[int], program: str, command: Sequence[str], environment: Mapping[str, str]
) -> int:
    holds_signals = hasattr(signal, "sigtimedwait")
    with _unblocked() if holds_signals else nullcontext():
        child = subprocess.Popen(command, executable=program, env=environment)  # noqa: S603  # the user's own
    wait = _wait_for_signal if holds_signals else _wait_for_end
    while child.poll() is None:
        wait(child)
        while received:
            number = received.pop(0)
            # Who has sent it is not known. A terminal sends Ctrl-C to the program, and Windows too.
            if number == signal.SIGTERM or not (os.name == "nt" or sys.stdin.isatty()):
                child.send_signal(number)
    return child.returncode if child.returncode >= 0 else _SIGNALLED - child.returncode


def _wait_for_signal(child: subprocess.Popen[bytes]) -> None:
    """Wait for a signal, and pass it on if it is for this process alone."""
    received = signal.sigtimedwait((*_PASSED_ON, signal.SIGCHLD), _POLL_SECONDS)
    # A code above zero says that the kernel itself has sent it: sigaction(2).
    if received is not None and received.si_signo in _PASSED_ON and received.si_code <= 0:
        child.send_signal(received.si_signo)


def _wait_for_end(child: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        child.wait(_POLL_SECONDS)
