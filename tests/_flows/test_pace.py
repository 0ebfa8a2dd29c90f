from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from nimble_stop._flows.pace import Pace


def feed(pace: Pace, outcomes: str) -> list[int]:
    """Note calls, a dot for one that went well and an x for a throttled one; give the limits."""
    limits: list[int] = []
    for outcome in outcomes:
        pace.note(throttled=outcome == "x")
        limits.append(pace.limit)
    return limits


@pytest.mark.parametrize("maximum", [1, 2, 8, 32])
def test_unthrottled(maximum: int) -> None:
    """Without throttling as many are in flight as are allowed, from the first to the last."""
    assert set(feed(Pace(maximum), "." * 200)) == {maximum}


def test_bad_luck() -> None:
    """Less than a whole window of calls says nothing, and a third throttled is tolerated."""
    assert set(feed(Pace(8), "x" * 29)) == {8}
    assert set(feed(Pace(8), "x.." * 100)) == {8}


def test_shrinks() -> None:
    """Each window with more throttling than that takes three tenths away."""
    limits = feed(Pace(32), "xx." * 30)

    assert limits[28] == 32
    assert [limits[29], limits[59], limits[89]] == [22, 15, 10]


def test_never_stops() -> None:
    """However much is throttled, one call is always allowed."""
    assert feed(Pace(32), "x" * 1000)[-1] == 1
    assert set(feed(Pace(1), "x" * 100)) == {1}


def test_grows_back() -> None:
    """When the throttling is over, one more is in flight for each round of calls, up to all."""
    pace = Pace(8)
    feed(pace, "x" * 60)
    assert pace.limit == 3

    limits = feed(pace, "." * 100)
    # Not before a whole window went well.
    assert limits[28] == 3
    assert sorted(limits) == limits
    assert limits[-1] == 8
    assert set(limits) == {3, 4, 5, 6, 7, 8}


def test_settles() -> None:
    """Against a service that stands four calls at a time, the pace stays in reach of that."""
    pace = Pace(32)
    limits: list[int] = []
    for _ in range(3000):
        pace.note(throttled=pace.limit > 4)
        limits.append(pace.limit)

    assert set(limits[-1000:]) <= {2, 3, 4, 5}


@given(st.integers(1, 64), st.text("x.", max_size=400))
def test_stays_in_bounds(maximum: int, outcomes: str) -> None:
    """Whatever happens, the limit is from one to the maximum."""
    assert all(1 <= limit <= maximum for limit in feed(Pace(maximum), outcomes))
