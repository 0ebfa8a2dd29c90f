from __future__ import annotations

import math
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from nimble_stop._api.timestamps import parse_timestamp
from nimble_stop.local.storage.database import open_database
from nimble_stop.local.storage.tables import Tables
from nimble_stop.local.studio.clock import render_timestamp, session_time, skip_seconds

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture
def tables() -> Generator[Tables]:
    """The tables of an empty store."""
    with closing(open_database(":memory:")) as database:
        yield Tables(database)


def test_skipped_seconds_add_up(tables: Tables) -> None:
    """The sessions' time is the server's and all that was skipped."""
    for seconds in (1.5, 2, 0):
        skip_seconds(seconds, lambda: 1000.0, tables)
    assert session_time(lambda: 1000.0, tables) == 1003.5


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
def test_time_does_not_go_back(tables: Tables, seconds: float) -> None:
    """A negative or endless number of seconds is refused."""
    with pytest.raises(ValueError, match="0 or more"):
        skip_seconds(seconds, lambda: 0.0, tables)
    assert session_time(lambda: 0.0, tables) == 0.0


def test_time_ends_with_the_year_9999(tables: Tables) -> None:
    """The last moment that can be written is reached, and not passed."""
    skip_seconds(253_402_300_700, lambda: 0.0, tables)
    with pytest.raises(ValueError, match="beyond the year 9999"):
        skip_seconds(100, lambda: 0.0, tables)
    assert render_timestamp(session_time(lambda: 99.0, tables)) == "9999-12-31T23:59:59Z"


def test_timestamps_are_whole_seconds_in_utc() -> None:
    """Times are spelled as AWS does; fractions are cut off, never rounded up."""
    assert render_timestamp(1_700_000_000.999) == "2023-11-14T22:13:20Z"


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_clients_read_what_is_written(second: int) -> None:
    """Every second of the years 1 to 9999 survives being written and read by a client."""
    assert parse_timestamp(render_timestamp(second)).timestamp() == second
