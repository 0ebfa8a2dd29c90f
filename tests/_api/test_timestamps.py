from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from nimble_stop._api.timestamps import parse_timestamp
from nimble_stop.models import format_timestamp

# Form, and the moment it names: year, month, day, hour, minute, second, microsecond.
ACCEPTED: list[tuple[object, tuple[int, ...]]] = [
    ("2026-11-23T01:02:03Z", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23t01:02:03z", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23 01:02:03Z", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23T01:02:03.4Z", (2026, 11, 23, 1, 2, 3, 400000)),
    ("2026-11-23T01:02:03.45Z", (2026, 11, 23, 1, 2, 3, 450000)),
    ("2026-11-23T01:02:03.456Z", (2026, 11, 23, 1, 2, 3, 456000)),
    ("2026-11-23T01:02:03.4567Z", (2026, 11, 23, 1, 2, 3, 456700)),
    ("2026-11-23T01:02:03.45678Z", (2026, 11, 23, 1, 2, 3, 456780)),
    ("2026-11-23T01:02:03.456789Z", (2026, 11, 23, 1, 2, 3, 456789)),
    ("2026-11-23T01:02:03.4567891Z", (2026, 11, 23, 1, 2, 3, 456789)),
    ("2026-11-23T01:02:03.45678912Z", (2026, 11, 23, 1, 2, 3, 456789)),
    ("2026-11-23T01:02:03.999999999Z", (2026, 11, 23, 1, 2, 3, 999999)),
    ("2026-11-23T01:02:03.000Z", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23T01:02:03+00:00", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23T01:02:03-00:00", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23T01:02:03+01:00", (2026, 11, 23, 0, 2, 3)),
    ("2026-11-23T01:02:03-01:00", (2026, 11, 23, 2, 2, 3)),
    ("2026-11-23T01:02:03+05:30", (2026, 11, 22, 19, 32, 3)),
    ("2026-11-23T01:02:03-23:59", (2026, 11, 24, 1, 1, 3)),
    ("2026-11-23T01:02:03.5+05:45", (2026, 11, 22, 19, 17, 3, 500000)),
    ("2024-02-29T00:00:00Z", (2024, 2, 29)),
    ("2026-12-31T23:59:59Z", (2026, 12, 31, 23, 59, 59)),
    ("2016-12-31T23:59:60Z", (2017, 1, 1)),
    ("2016-12-31T23:59:60.5Z", (2017, 1, 1, 0, 0, 0, 500000)),
    ("2017-01-01T00:59:60+01:00", (2017, 1, 1)),
    ("0001-01-01T00:00:00Z", (1, 1, 1)),
    ("9999-12-31T23:59:59.999999Z", (9999, 12, 31, 23, 59, 59, 999999)),
    ("1969-12-31T23:59:59Z", (1969, 12, 31, 23, 59, 59)),
    (0, (1970, 1, 1)),
    (1795395723, (2026, 11, 23, 1, 2, 3)),
    (1795395723.0, (2026, 11, 23, 1, 2, 3)),
    (1795395723.5, (2026, 11, 23, 1, 2, 3, 500000)),
    (1795395723.456789, (2026, 11, 23, 1, 2, 3, 456789)),
    (1.795395723e9, (2026, 11, 23, 1, 2, 3)),
    (-1, (1969, 12, 31, 23, 59, 59)),
]
REFUSED: list[object] = [
    "",
    " ",
    "now",
    "null",
    "2026-11-23",
    "2026-11-23T01:02:03",
    "2026-11-23T01:02:03.456",
    "2026-11-23T01:02Z",
    "2026-11-23T01:02:03 Z",
    "2026-11-23T01:02:03Z ",
    " 2026-11-23T01:02:03Z",
    "2026-11-23T01:02:03Z\n",
    "2026-11-23T01:02:03.Z",
    "2026-11-23T01:02:03,5Z",
    "2026-11-23T01:02:03.4567891234Z",
    "2026-11-23T01:02:03+0100",
    "2026-11-23T01:02:03+01",
    "2026-11-23T01:02:03+24:00",
    "2026-11-23T01:02:03+01:60",
    "2026-11-23T01:02:03UTC",
    "20261123T010203Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-11-31T00:00:00Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T01:60:00Z",
    "2026-11-23T01:02:61Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:60Z",
    "12026-11-23T01:02:03Z",
    "-026-11-23T01:02:03Z",
    "٢٠٢٦-11-23T01:02:03Z",
    "Mon, 23 Nov 2026 01:02:03 GMT",
    "1795395723",
    "\ud800",
    None,
    True,
    False,
    [],
    {},
    b"2026-11-23T01:02:03Z",
    1e300,
    -1e300,
    10**30,
    10**400,
    float("nan"),
    float("inf"),
    float("-inf"),
]


@pytest.mark.parametrize(("form", "expected"), ACCEPTED)
def test_accepted(form: object, expected: tuple[int, ...]) -> None:
    """Every RFC 3339 form and epoch numbers name a moment, in aware UTC."""
    moment = parse_timestamp(form)

    assert moment == datetime(*expected, tzinfo=UTC)  # type: ignore[arg-type,misc]
    assert moment.tzinfo is UTC


@pytest.mark.parametrize("form", REFUSED, ids=ascii)
def test_refused(form: object) -> None:
    """Whatever names no moment is a ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_timestamp(form)


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_anything(value: object) -> None:
    """Any JSON value is a moment in aware UTC or a ValueError."""
    try:
        moment = parse_timestamp(value)
    except ValueError:
        return
    assert moment.utcoffset() == timedelta(0)


OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=OFFSETS)  # noqa: DTZ001 - the strategy adds the zone


@given(MOMENTS)
def test_agrees_with_the_standard_library(moment: datetime) -> None:
    """What the standard library writes in any offset is read as the same moment."""
    assert parse_timestamp(moment.isoformat()) == moment


@given(MOMENTS)
def test_round_trip(moment: datetime) -> None:
    """What is written is read back, to the microsecond, and is UTC with a Z."""
    text = format_timestamp(moment)

    assert parse_timestamp(text) == moment
    assert text.endswith("Z")


WRITTEN = [
    (datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC), "2026-11-23T01:02:03Z"),
    (datetime(2026, 11, 23, 1, 2, 3, 400000, tzinfo=UTC), "2026-11-23T01:02:03.400000Z"),
    (
        datetime(2026, 11, 23, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
        "2026-11-22T23:02:03Z",
    ),
]


@pytest.mark.parametrize(("moment", "text"), WRITTEN)
def test_written(moment: datetime, text: str) -> None:
    """A time is written as the service writes it, with a fraction only when there is one."""
    assert format_timestamp(moment) == text
