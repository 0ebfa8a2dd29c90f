"""How many sessions are stopped at the same time: fewer while the service throttles.

Retries alone would turn throttling into waiting, with every slot taken by a call that sleeps, and
would spend attempts that the service refuses anyway.
"""

from __future__ import annotations

from collections import deque
from typing import Final

# Enough calls to tell throttling from bad luck.
_WINDOW: Final = 30
# With up to a third refused, retries cope; beyond it, fewer requests get more done.
_TOLERATED_SHARE: Final = 1 / 3
_SHRINK: Final = 0.7


class Pace:
    """The number of calls in flight, from 1 to a maximum."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = float(maximum)
        self._throttled: deque[bool] = deque(maxlen=_WINDOW)

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        return int(self._limit)

    def note(self, *, throttled: bool) -> None:
        """Take note of a call that ended."""
        self._throttled.append(throttled)
        if len(self._throttled) < _WINDOW:
            return
        if sum(self._throttled) > _WINDOW * _TOLERATED_SHARE:
            self._limit = max(1.0, self._limit * _SHRINK)
            # What was seen so far has been answered; look anew at the new pace.
            self._throttled.clear()
        elif not throttled:
            # One more in flight for every round of calls that went well.
            self._limit = min(float(self._maximum), self._limit + 1 / self._limit)
