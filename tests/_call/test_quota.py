from __future__ import annotations

import threading

import pytest

from nimble_stop._call.quota import RetryQuota
from nimble_stop.exceptions import ConnectionLostError, NimbleStopError, ThrottlingException

TRANSIENT = ConnectionLostError("no")
THROTTLED = ThrottlingException("no")


def test_quota_costs() -> None:
    """A transient retry costs 14 units of 500, a throttled one 5."""
    quota = RetryQuota()

    assert quota.available == 500
    assert quota.take(TRANSIENT) == 14
    assert quota.take(THROTTLED) == 5
    assert quota.available == 481


def test_quota_comes_back() -> None:
    """A success gives the last retry's cost back, or one unit, and never more than there was."""
    quota = RetryQuota()
    for _ in range(2):
        quota.take(TRANSIENT)
    quota.give_back(14)
    assert quota.available == 486
    quota.give_back(0)
    assert quota.available == 487
    quota.give_back(5)
    quota.give_back(14)
    assert quota.available == 500
    quota.give_back(0)
    assert quota.available == 500


@pytest.mark.parametrize(("error", "retries", "left"), [(TRANSIENT, 35, 10), (THROTTLED, 100, 0)])
def test_empty_quota(error: NimbleStopError, retries: int, left: int) -> None:
    """With too little left there is no retry, and nothing is taken."""
    quota = RetryQuota()

    assert sum(quota.take(error) is not None for _ in range(200)) == retries
    assert quota.available == left


def test_small_change_buys_the_cheaper_retry() -> None:
    """What is too little for a transient retry can be enough for a throttled one."""
    quota = RetryQuota(13)

    assert quota.take(TRANSIENT) is None
    assert quota.take(THROTTLED) == 5


def test_quota_in_threads() -> None:
    """Units are neither lost nor doubled between threads."""
    quota = RetryQuota(8 * 200 * 5)

    def spend() -> None:
        for _ in range(200):
            assert quota.take(THROTTLED) == 5

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert quota.available == 0
