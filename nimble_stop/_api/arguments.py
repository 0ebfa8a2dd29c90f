"""What callers may pass: every rule for an argument, checked before anything else happens.

Each function gives the value back in the form the request needs, or raises
`RequestValidationError` with the argument's name, its value and what is allowed.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator
from typing import Final, cast

from nimble_stop.exceptions import RequestValidationError
from nimble_stop.models import VolumeRetentionMode

# X-Amz-Client-Token: 1 to 64 characters, and nothing that a header could trip over.
# https://docs.aws.amazon.com/nimble-studio/latest/api/API_StopStreamingSession.html
_CLIENT_TOKEN = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?", re.ASCII)
_LONGEST_QUOTE: Final = 80
_UNSENDABLE_IDS: Final = frozenset({"", ".", ".."})
_RETENTION_MODES: Final = tuple(VolumeRetentionMode)


def checked_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _refusal(name, "a string", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        reason = ": it holds half a surrogate pair"
        raise _refusal(name, "a text that UTF-8 can encode", value, reason) from None
    return value


def checked_id(name: str, value: object) -> str:
    """Check an id that becomes one segment of the path."""
    text = checked_text(name, value)
    if text in _UNSENDABLE_IDS:
        rule = "an id of at least one character other than '.' and '..'"
        raise _refusal(name, rule, value, ": such a path segment would name another resource")
    return text


def checked_client_token(value: object) -> str:
    if isinstance(value, str) and _CLIENT_TOKEN.fullmatch(value):
        return value
    rule = "1 to 64 printable ASCII characters without a space at either end"
    raise _refusal("client_token", rule, value)


def checked_retention(value: object) -> VolumeRetentionMode | None:
    if value is None:
        return None
    if isinstance(value, str) and value in _RETENTION_MODES:
        return VolumeRetentionMode(value)
    allowed = ", ".join(repr(str(mode)) for mode in _RETENTION_MODES)
    raise _refusal("retention", f"{allowed} or None", value)


def checked_seconds(name: str, value: object) -> float:
    """Check a length of time in seconds, which must be more than zero and finite."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A whole number can be too large for a float.
        with contextlib.suppress(OverflowError):
            seconds = float(value)
            if seconds > 0 and math.isfinite(seconds):
                return seconds
    raise _refusal(name, "a number of seconds greater than 0", value)


def checked_count(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise _refusal(name, "a whole number from 1", value)


def checked_ids(name: str, values: object) -> tuple[str, ...]:
    return tuple(checked_id(name, value) for value in checked_iterator(name, values))


def checked_iterator(name: str, values: object) -> Iterator[str]:
    """Check an iterable of ids but not the ids; a string's characters would pass as ids."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise _refusal(name, "an iterable of ids", values)
    return iter(cast("Iterable[str]", values))


def _refusal(name: str, rule: str, value: object, reason: str = "") -> RequestValidationError:
    text = repr(value)
    if len(text) > _LONGEST_QUOTE:
        text = f"{text[:_LONGEST_QUOTE]}… ({len(text)} long)"
    return RequestValidationError(f"{name} must be {rule}, not {text}{reason}.", argument=name)
