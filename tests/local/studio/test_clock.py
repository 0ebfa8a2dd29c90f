from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from nimble_stop._api.timestamps import parse_timestamp
from nimble_stop.local.studio.clock import SessionClock, render_timestamp


def test_advance_moves_the_sessions_time_on() -> None:
    """Skipped seconds add up on top of the server's clock, and reset forgets them."""
    clock = SessionClock(lambda: 1000.0)
    clock.advance(1.5)
    clock.advance(2)
    clock.advance(0)
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


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_clients_read_what_is_written(second: int) -> None:
    """Every second of the years 1 to 9999 survives being written and read by a client."""
    assert parse_timestamp(render_timestamp(second)).timestamp() == second
