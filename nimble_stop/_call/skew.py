"""How far the service's clock is from ours: AWS's rule of 2026, which botocore does not have.

Every answer that carries a usable ``Date`` sets the skew; signatures are dated by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nimble_stop._api.errors import http_date
from nimble_stop.exceptions import NimbleStopError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Below this, a refused signature has another reason: AWS accepts five minutes of difference.
_TOLERATED_SECONDS: Final = 4 * 60
# An answer that took this long says nothing about the time.
_LONGEST_ROUND_TRIP: Final = 15 * 60
# Nor does a date a century away: signing by it could leave the years that a calendar has.
_LARGEST_SKEW: Final = 100 * 365 * 24 * 60 * 60
_SKEW_CODES: Final = frozenset(
    {
        "AccessDeniedException",
        "AuthFailure",
        "InvalidSignatureException",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)


class ClockSkew:
    """How many seconds the service's clock is ahead of ours, as far as a client knows."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self.seconds = 0.0

    def observe(self, headers: Mapping[str, str], sent: float, received: float) -> None:
        """Learn from an answer; both times are in seconds since 1970 on our clock."""
        if not self._enabled or "age" in headers or "date" not in headers:
            return
        date = http_date(headers["date"])
        if date is None or not 0 <= received - sent <= _LONGEST_ROUND_TRIP:
            return
        seconds = date.timestamp() - (sent + received) / 2
        if abs(seconds) < _LARGEST_SKEW:
            self.seconds = seconds

    def explains(self, error: NimbleStopError, used: float) -> bool:
        """Whether the skew that an attempt was signed with explains that it was refused."""
        return (
            self._enabled
            and isinstance(error, ServiceError)
            and error.code in _SKEW_CODES
            and abs(self.seconds - used) > _TOLERATED_SECONDS
        )
