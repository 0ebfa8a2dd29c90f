"""What a client takes from the process besides the network: clocks, sleep, randomness, ids, locks.

Tests pass clocks of their own, so that none of them waits.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
import weakref
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable


def _new_uuid() -> str:
    return str(uuid.uuid4())


def _random_number() -> float:
    # By way of the module, which seeds its generator anew in the child of a fork.
    return random.random()  # noqa: S311 - it spreads delays, it protects nothing


@attrs.frozen(kw_only=True)
class Runtime:
    """Where a client takes time, sleep, randomness and ids from.

    Args:
        monotonic: Seconds on a clock that never goes back; deadlines are measured on it.
        now: Seconds since 1970; signatures are dated by it.
        sleep: Waits a number of seconds. The async client awaits what it returns, if it can be
            awaited. None for `time.sleep`, or `asyncio.sleep` in the async client.
        random: A number from 0 up to 1; it spreads the delays between attempts.
        new_id: A new unique id of at most 64 characters: client tokens and invocation ids.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], object] | None = None
    random: Callable[[], float] = _random_number
    new_id: Callable[[], str] = _new_uuid


class ForkSafeLock:
    """A lock that is open in the child of a fork, whatever the parent's threads held.

    A thread that held it does not exist in the child, so nobody would ever release it there.
    """

    def __init__(self) -> None:
        self.renew()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        self._lock = threading.Lock()


_locks: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()


def _open_all() -> None:
    # No other thread runs yet.
    for lock in tuple(_locks):
        lock.renew()


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_all)
