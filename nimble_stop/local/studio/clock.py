"""What time it is, for the server and for the sessions.

There are two times. The server's own decides about signatures and stands in the ``Date`` header;
it is the machine's, or a clock that was passed in. The sessions' time is the server's plus what
was skipped by `SessionClock.advance`: a test that lets an hour pass for the sessions must not find
all its signatures an hour old.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

from nimble_stop.models import format_timestamp

__all__ = ["Clock", "SessionClock", "render_timestamp"]

Clock: TypeAlias = Callable[[], float]
"""Tells the seconds since 1970-01-01 UTC, as `time.time` does."""


class SessionClock:
    """The sessions' time: a clock that can be moved on.

    Args:
        clock: The server's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._skipped = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Tell the sessions' time, in seconds since 1970 UTC."""
        return self._clock() + self._skipped

    @property
    def skipped(self) -> float:
        """How far the sessions' time is ahead of the server's, in seconds."""
        return self._skipped

    def advance(self, seconds: float) -> None:
        """Skip some time.

        Args:
            seconds: How many seconds, 0 or more.

        Raises:
            ValueError: The number is negative or not finite; time does not go back.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds must be a finite number, 0 or more, not {seconds!r}")
        with self._lock:
            self._skipped += seconds

    def reset(self) -> None:
        """Go back to the server's time."""
        with self._lock:
            self._skipped = 0.0


def render_timestamp(seconds: float) -> str:
    """Spell a time as AWS does, in ISO 8601 and whole seconds."""
    return _render_second(math.floor(seconds))


# What happens in one second is spelled the same.
@lru_cache(maxsize=4)
def _render_second(second: int) -> str:
    return format_timestamp(datetime.fromtimestamp(second, UTC))
