from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from nimble_stop._api.converter import parse_timestamp
from nimble_stop.local.storage.clock import render_timestamp, time_after


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
def test_time_does_not_go_back(seconds: float) -> None:
    """A negative or endless number of seconds is refused."""
    with pytest.raises(ValueError, match="0 or more"):
        time_after(seconds, 0)


def test_time_ends_with_the_year_9999() -> None:
    """The last moment that can be written is reached, and not passed."""
    assert render_timestamp(time_after(253_402_300_700, 99)) == "9999-12-31T23:59:59Z"
    with pytest.raises(ValueError, match="beyond the year 9999"):
        time_after(100, 253_402_300_700)


def test_timestamps_are_whole_seconds_in_utc() -> None:
    """Times are spelled as AWS does; fractions are cut off, never rounded up."""
    assert render_timestamp(1_700_000_000.999) == "2023-11-14T22:13:20Z"


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_clients_read_what_is_written(second: int) -> None:
    """Every second of the years 1 to 9999 survives being written and read by a client."""
    assert parse_timestamp(render_timestamp(second)).timestamp() == second
