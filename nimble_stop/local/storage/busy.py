"""Waiting for a store that another thread or process uses, on a thread or on an event loop."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Result = TypeVar("_Result")

BUSY_SECONDS: Final = 5.0
"""How long a store may be busy before what needs it fails, in seconds."""

_LONGEST_PAUSE_SECONDS: Final = 0.05


class StoreBusyError(Exception):
    """Another thread or process uses the store at this moment."""

    def __init__(self) -> None:
        super().__init__(f"the store was in use by others for {BUSY_SECONDS:g} seconds")


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether an error says that another connection uses the database."""
    # The low byte is the primary code: https://www.sqlite.org/rescode.html
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _pauses() -> Iterator[float]:
    """Yield how long to wait before each new attempt, until the time is up."""
    ends = time.monotonic() + BUSY_SECONDS
    pause = 0.0
    while time.monotonic() < ends:
        yield pause
        pause = min(pause + 0.002, _LONGEST_PAUSE_SECONDS)


def wait_while_busy(work: Callable[[], _Result]) -> _Result:
    """Do something with a store as soon as nobody else uses it, and wait on this thread.

    What raises `StoreBusyError`, and then leaves no change, is tried again for `BUSY_SECONDS`.
    """
    for pause in _pauses():
        try:
            return work()
        except StoreBusyError:
            time.sleep(pause)
    return work()


async def retry_while_busy(work: Callable[[], _Result]) -> _Result:
    """Do the same on an event loop, which goes on meanwhile."""
    for pause in _pauses():
        try:
            return work()
        except StoreBusyError:
            await asyncio.sleep(pause)
    return work()
