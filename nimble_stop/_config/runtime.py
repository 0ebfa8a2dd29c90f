"""What a call takes from the world besides the network: clocks, sleep, randomness, ids.

Tests pass their own, so that none of them waits.
"""

from __future__ import annotations

import random
import time
import uuid
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
