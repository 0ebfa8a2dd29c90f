"""Ending early without losing anything: Ctrl-C, SIGTERM and the deadline."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

    from nimble_stop._call.deadline import Deadline


@attrs.define
class Ending:
    """Why a run ended early, if it did."""

    interrupted: bool = False
    deadline_exceeded: bool = False


@contextmanager
def ending_early(
    ending: Ending,
    cancel: Callable[[], object],
    deadline: Deadline | None,
    say: Callable[[str], object],
) -> Generator[None]:
    """Call ``cancel``, in another thread, at the first signal or when the deadline is over.

    The second signal ends the program at once. ``say`` shows a line of text, in any thread.
    """

    def over() -> None:
        ending.deadline_exceeded = True
        cancel()

    def interrupt() -> None:
        say("Interrupted; the stops under way are being finished. Ctrl-C again leaves them.")
        cancel()

    def on_signal(*_: object) -> None:
        if ending.interrupted:
            raise KeyboardInterrupt
        ending.interrupted = True
        # Not in the handler: whatever was interrupted may hold the locks that this needs.
        threading.Thread(target=interrupt, daemon=True).start()

    remaining = 0.0 if deadline is None else max(deadline.remaining, 0.0)
    # No lock waits longer than that: some 292 years.
    timer = threading.Timer(min(remaining, threading.TIMEOUT_MAX), over)
    timer.daemon = True
    if deadline is not None:
        timer.start()
    try:
        with handling(on_signal, signal.SIGINT, signal.SIGTERM):
            yield
    finally:
        timer.cancel()


@contextmanager
def handling(
    handler: Callable[[int, FrameType | None], object], *numbers: signal.Signals
) -> Generator[None]:
    """Handle signals; only the main thread may, and only there they arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, old in previous:
            signal.signal(number, old)
