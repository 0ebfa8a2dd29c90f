"""A program that runs under this one: it gets our signals, and its exit code becomes ours.

The terminal sends Ctrl-C to all processes in its foreground, so the program has it already. Any
other signal is for this process alone, and is passed on. Only the kernel knows which SIGINT is a
Ctrl-C, and it says so to a thread that waits for signals, where the system has such a wait.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.signals import handling

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
# Not every system has these.
_OTHERS: Final = [
    signal.Signals[name]
    for name in ("SIGHUP", "SIGUSR1", "SIGUSR2")
    if name in signal.Signals.__members__
]
_CAN_WAIT_FOR_SIGNALS: Final = hasattr(signal, "sigtimedwait")
# A shell's exit code for a program that a signal has ended is this and the signal's number.
_SIGNALLED: Final = 128
# How late a signal is noticed that another thread than the waiting one has got.
_POLL_SECONDS: Final = 0.2


@contextmanager
def child_runner() -> Generator[Callable[[str, Sequence[str], Mapping[str, str]], int]]:
    """Keep signals for a program that is going to run; enter it before threads are started.

    The function that it gives runs a program to its end: where it is, its words, its environment.
    It returns the exit code, or as a shell does 128 and the number of the signal that ended it.
    """
    received: list[int] = []
    # What is ignored, such as SIGHUP under nohup, is to be ignored by the program too.
    others = [number for number in _OTHERS if signal.getsignal(number) is not signal.SIG_IGN]
    passed_on = (*_ENDING, *others)

    def run(program: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
        with _signals(passed_on, blocked=False):
            child = subprocess.Popen(command, executable=program, env=environment)  # noqa: S603  # the user's own
        while child.poll() is None:
            _wait(child, passed_on)
            while received:
                number = received.pop(0)
                # Who has sent it is not known. A terminal sends Ctrl-C to the program too, as
                # Windows does.
                if number != signal.SIGINT or not (os.name == "nt" or sys.stdin.isatty()):
                    child.send_signal(number)
        return child.returncode if child.returncode >= 0 else _SIGNALLED - child.returncode

    with (
        handling(lambda number, _: received.append(number), *passed_on),
        _signals(passed_on, blocked=True),
    ):
        yield run


@contextmanager
def _signals(numbers: Sequence[int], *, blocked: bool) -> Generator[None]:
    """Block signals in this thread and in what it starts, or unblock them for a moment."""
    if not _CAN_WAIT_FOR_SIGNALS:
        yield
        return
    how = signal.SIG_BLOCK if blocked else signal.SIG_UNBLOCK
    previous = signal.pthread_sigmask(how, (*numbers, signal.SIGCHLD))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _wait(child: subprocess.Popen[bytes], numbers: Sequence[int]) -> None:
    """Wait for the end, or for a signal; pass on one that is for this process alone."""
    if not _CAN_WAIT_FOR_SIGNALS:
        with suppress(subprocess.TimeoutExpired):
            child.wait(_POLL_SECONDS)
        return
    signalled = signal.sigtimedwait((*numbers, signal.SIGCHLD), _POLL_SECONDS)
    if signalled is None or signalled.si_signo == signal.SIGCHLD:
        return
    # A code above zero says that the kernel itself has sent it: sigaction(2).
    if signalled.si_signo != signal.SIGINT or signalled.si_code <= 0:
        child.send_signal(signalled.si_signo)
