"""The times of the API: RFC 3339 texts and epoch numbers, always as aware UTC datetimes.

The API documents its times as ISO 8601; Smithy's other form, seconds since the epoch, is read too.
A text without an offset names no moment, so it is refused rather than guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):\d\d):(\d\d)(\.\d{1,9})?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DIGITS = len(".123456")


def parse_timestamp(value: object) -> datetime:
    """Read a time as the service sends it, or raise ValueError.

    It is an RFC 3339 text with up to nine fraction digits, of which six are kept, or a number of
    seconds since 1970, in the years 1 to 9999.
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
    day, minute, second, fraction, offset = match.groups(default="")
    # RFC 3339 allows a leap second, datetime does not: it is the moment after second 59.
    is_leap = second == "60"
    second = "59" if is_leap else second
    moment = datetime.fromisoformat(f"{day}T{minute}:{second}{fraction[:_DIGITS]}{offset.upper()}")
    return (moment + timedelta(seconds=is_leap)).astimezone(UTC)
