"""The retry quota of a client: AWS's standard mode stops retrying when too many calls fail.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nimble_stop._config.retry_policy import is_throttling
from nimble_stop._config.runtime import ForkSafeLock

if TYPE_CHECKING:
    from nimble_stop.exceptions import NimbleStopError

# The standard mode's numbers as of November 2026.
_QUOTA: Final = 500
_TRANSIENT_COST: Final = 14
_THROTTLING_COST: Final = 5
_SUCCESS_REFUND: Final = 1


class RetryQuota:
    """What a client may still spend on retries, so that an outage is not made worse.

    A retry takes its cost out and a success puts it back; with an empty quota nothing is retried.
    """

    def __init__(self, capacity: int = _QUOTA) -> None:
        self._capacity = capacity
        self.available = capacity
        self._lock = ForkSafeLock()

    def take(self, error: NimbleStopError) -> int | None:
        """Pay for one retry; give what it cost, or None when there is not enough left."""
        cost = _THROTTLING_COST if is_throttling(error) else _TRANSIENT_COST
        with self._lock:
            if cost > self.available:
                return None
            self.available -= cost
            return cost

    def give_back(self, last_cost: int) -> None:
        """Note a success, with the cost of the last retry, or 0 when there was none."""
        if not last_cost and self.available == self._capacity:
            return
        with self._lock:
            self.available = min(self._capacity, self.available + (last_cost or _SUCCESS_REFUND))
