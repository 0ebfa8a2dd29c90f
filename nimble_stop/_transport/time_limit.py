"""One limit for several socket operations, each of which knows only a time-out of its own."""

from __future__ import annotations

import time
from typing import Final

# Eleven days; a socket's time-out overflows at 24.
_LONGEST_WAIT: Final = 1_000_000.0


class TimeLimit:
    """A time by which several socket operations must be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + min(seconds, _LONGEST_WAIT)

    def within(self, seconds: float) -> TimeLimit:
        """Give the tighter of this limit and one of so many seconds from now."""
        return TimeLimit(min(seconds, self._end - time.monotonic()))

    @property
    def remaining(self) -> float:
        """How many seconds are left.

        Raises:
            TimeoutError: None are.
        """
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        return remaining
