"""What time it is, for the server and for the sessions, in seconds since 1970 UTC.

There are two times. The server's own decides about signatures and stands in the ``Date`` header;
it is the machine's, or a clock that was passed in. The sessions' time is the server's plus what was
skipped, which the store keeps: a test that lets an hour pass for the sessions must not find all its
signatures an hour old, and a restart must not undo the hour.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

from nimble_stop.models import format_timestamp

Clock: TypeAlias = Callable[[], float]
"""The server's time: returns the seconds since 1970-01-01 UTC, as `time.time` does."""

# The last second that a date can be written of, 9999-12-31T23:59:59Z.
_LAST_SECOND: Final = 253_402_300_799


def time_after(seconds: float, now: float) -> float:
    """Return the time after 0 seconds or more; raise ValueError beyond the year 9999."""
    if not 0 <= seconds < math.inf:
        raise ValueError(f"seconds must be a finite number, 0 or more, not {seconds!r}")
    if now + seconds > _LAST_SECOND:
        raise ValueError(f"seconds must not lead beyond the year 9999, and {seconds!r} does")
    return now + seconds


def render_timestamp(seconds: float) -> str:
    """Write a time as AWS does, in ISO 8601 and whole seconds."""
    return _render_second(math.floor(seconds))


# What happens in one second is written the same.
@lru_cache(maxsize=4)
def _render_second(second: int) -> str:
    return format_timestamp(datetime.fromtimestamp(second, UTC))
