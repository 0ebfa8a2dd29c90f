"""The times of the API: RFC 3339 texts and epoch numbers, always as aware UTC datetimes.

The API documents its times as ISO 8601; Smithy's other form, seconds since the epoch, is read too.
A text without an offset names no moment, so it is refused rather than guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
_LEAP_SECOND = 60


def parse_timestamp(value: object) -> datetime:
    """Read a time as the service sends it.

    Args:
        value: An RFC 3339 text with up to nine fraction digits, of which six are kept, or a
            number of seconds since 1970.

    Returns:
        An aware datetime in UTC.

    Raises:
        ValueError: The value is neither, or lies outside the years 1 to 9999.
    """
    try:
        if isinstance(value, str):
            return _parse_text(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value!r} is out of range") from error
    raise ValueError(f"{value!r} is not a timestamp")


def _parse_text(text: str) -> datetime:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an RFC 3339 timestamp")
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = (
        match.groups()
    )
    seconds = int(second)
    # RFC 3339 allows a leap second, datetime does not: it is the moment after second 59.
    leap = seconds == _LEAP_SECOND
    moment = datetime(
        int(year),
        int(month),
        int(day),
        int(hour),
        int(minute),
        seconds - leap,
        int(fraction.ljust(6, "0")[:6]) if fraction else 0,
        UTC,
    )
    if leap:
        moment += timedelta(seconds=1)
    if sign:
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
        moment = moment - offset if sign == "+" else moment + offset
    return moment
