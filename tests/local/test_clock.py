from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from nimble_stop.local.clock import SessionClock, parse_timestamp, render_timestamp


def test_advance_moves_the_sessions_time_on() -> None:
    """Skipped seconds add up on top of the server's clock, and reset forgets them."""
    clock = SessionClock(lambda: 1000.0)
    clock.advance(1.5)
    clock.advance(2)
    assert clock() == 1003.5
    clock.reset()
    assert clock() == 1000.0


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
def test_time_does_not_go_back(seconds: float) -> None:
    """A negative or endless number of seconds is refused."""
    clock = SessionClock(lambda: 0.0)
    with pytest.raises(ValueError, match="0 or more"):
        clock.advance(seconds)
    assert clock() == 0.0


def test_timestamps_are_whole_seconds_in_utc() -> None:
    """Times are spelled as AWS does; fractions are cut off, never rounded up."""
    assert render_timestamp(1_700_000_000.999) == "2023-11-14T22:13:20Z"


def test_a_time_without_offset_is_utc() -> None:
    """An offset counts, and without one UTC is meant."""
    assert parse_timestamp("1970-01-01T00:01:00") == 60
    assert parse_timestamp("1970-01-01T01:01:00+01:00") == 60


@given(st.integers(0, 4_000_000_000))
def test_rendering_and_parsing_are_inverse(second: int) -> None:
    """Every whole second survives being written and read."""
    assert parse_timestamp(render_timestamp(second)) == second
