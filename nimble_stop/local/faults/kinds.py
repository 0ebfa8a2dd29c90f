"""What can go wrong on the way, as values.

Each fault says what happens and at which point of a request's course; whom it happens to is decided
by the rules in `nimble_stop.local.faults.rules`.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import attrs
from attrs.validators import optional

from nimble_stop.local.api.refusals import STATUSES
from nimble_stop.local.faults.checks import (
    check_finite,
    check_headers,
    check_mapping,
    check_string,
    check_text,
    check_whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FAULTS",
    "ClockSkew",
    "Fault",
    "Latency",
    "Point",
    "ProxyPage",
    "ResetAfterChange",
    "ResetBeforeChange",
    "ServiceFailure",
    "StopFails",
    "TrickledBody",
    "TruncatedBody",
    "WrongDate",
]


# A thousand years: a date, of HTTP as of a signature, has a year of four digits.
_FARTHEST_SECONDS: Final = 1000 * 365 * 86_400


class Point(Enum):
    """Where in a request's course a fault acts, in this order."""

    ARRIVAL = "arrival"
    VERIFICATION = "verification"
    ANSWER = "answer"
    CHANGE = "change"
    DELIVERY = "delivery"
    DATE = "date"


@attrs.frozen
class Latency:
    """The request is taken up late, and only then verified and carried out.

    The client may have given up by then; what it asked for happens all the same.

    Args:
        seconds: How long it waits.
    """

    point: ClassVar[Point] = Point.ARRIVAL
    seconds: float = attrs.field(validator=check_finite(0))


@attrs.frozen
class ClockSkew:
    """The server's clock is off, for the signature's date and the ``Date`` header alike.

    Args:
        seconds: How far it is ahead, a thousand years at most; negative for behind.
    """

    point: ClassVar[Point] = Point.VERIFICATION
    seconds: float = attrs.field(validator=check_finite(-_FARTHEST_SECONDS, _FARTHEST_SECONDS))


@attrs.frozen
class ServiceFailure:
    """The service answers with an error, and nothing is changed.

    Args:
        code: The error code, such as ``"ThrottlingException"``.
        message: What the error says.
        status: The HTTP status; by default the code's own, 500 for a code that is not known.
        retry_after: Sent as ``Retry-After``, in whole seconds.
        retry_after_milliseconds: Sent as ``x-amz-retry-after``, in milliseconds.
        reason: The body's member ``code``; by default the error code.
        context: The body's member ``context``.
        headers: Further headers, such as a ``Retry-After`` that is no number.
    """

    point: ClassVar[Point] = Point.ANSWER
    code: str = attrs.field(default="InternalServerErrorException", validator=check_text)
    message: str = attrs.field(
        default="This error was injected.",
        kw_only=True,
        validator=check_string,
    )
    status: int | None = attrs.field(
        default=None, kw_only=True, validator=optional(check_whole(300, 599))
    )
    retry_after: int | None = attrs.field(
        default=None, kw_only=True, validator=optional(check_whole(0))
    )
    retry_after_milliseconds: int | None = attrs.field(
        default=None, kw_only=True, validator=optional(check_whole(0))
    )
    reason: str | None = attrs.field(default=None, kw_only=True, validator=optional(check_text))
    context: Mapping[str, str] = attrs.field(
        factory=dict[str, str], kw_only=True, validator=check_mapping
    )
    headers: Mapping[str, str] = attrs.field(
        factory=dict[str, str], kw_only=True, validator=check_headers
    )

    @property
    def http_status(self) -> int:
        """The status that is answered."""
        return STATUSES.get(self.code, 500) if self.status is None else self.status


@attrs.frozen
class ProxyPage:
    """Something in between answers with a page of HTML; the request never gets to the service.

    Args:
        status: The HTTP status.
        html: The page; by default a plain one that names the status.
    """

    point: ClassVar[Point] = Point.ANSWER
    status: int = attrs.field(default=502, validator=check_whole(200, 599))
    html: str | None = attrs.field(default=None, validator=optional(check_string))


@attrs.frozen
class ResetBeforeChange:
    """The connection is reset before anything was changed."""

    point: ClassVar[Point] = Point.ANSWER


@attrs.frozen
class ResetAfterChange:
    """The connection is reset after the change was made and before it is answered."""

    point: ClassVar[Point] = Point.DELIVERY


@attrs.frozen
class TruncatedBody:
    """The change is made, and the connection ends in the middle of the answer's body.

    Args:
        keep_bytes: How many bytes of the body are sent, at most all but one; by default half.
    """

    point: ClassVar[Point] = Point.DELIVERY
    keep_bytes: int | None = attrs.field(default=None, validator=optional(check_whole(0)))


@attrs.frozen
class TrickledBody:
    """The change is made, and the answer's body comes in small pieces.

    Args:
        seconds_between: How long each piece lets wait for itself.
        piece_bytes: How many bytes a piece has.
    """

    point: ClassVar[Point] = Point.DELIVERY
    seconds_between: float = attrs.field(default=0.1, validator=check_finite(0))
    piece_bytes: int = attrs.field(default=1, validator=check_whole(1))


@attrs.frozen
class WrongDate:
    """The answer's ``Date`` header is wrong, and only that.

    Args:
        seconds: How far it is ahead of the server's clock, a thousand years at most; negative for
            behind.
        text: What stands there instead of a date.
    """

    point: ClassVar[Point] = Point.DATE
    seconds: float = attrs.field(
        default=0.0, validator=check_finite(-_FARTHEST_SECONDS, _FARTHEST_SECONDS)
    )
    text: str | None = attrs.field(default=None, kw_only=True, validator=optional(check_text))


@attrs.frozen
class StopFails:
    """The stop is accepted, and the session ends in ``STOP_FAILED``.

    Injected for another operation it does the same there: ``CREATE_FAILED``, ``START_FAILED``,
    ``DELETE_FAILED``.

    Args:
        status_code: The failed session's status code.
        status_message: Its status message; by default the state's own.
    """

    point: ClassVar[Point] = Point.CHANGE
    status_code: str = attrs.field(default="INTERNAL_ERROR", validator=check_text)
    status_message: str | None = attrs.field(default=None, validator=optional(check_text))


Fault: TypeAlias = (
    Latency
    | ClockSkew
    | ServiceFailure
    | ProxyPage
    | ResetBeforeChange
    | ResetAfterChange
    | TruncatedBody
    | TrickledBody
    | WrongDate
    | StopFails
)
"""Anything that can go wrong."""

FAULTS: Final[tuple[type[Fault], ...]] = (
    ClockSkew,
    Latency,
    ProxyPage,
    ResetAfterChange,
    ResetBeforeChange,
    ServiceFailure,
    StopFails,
    TrickledBody,
    TruncatedBody,
    WrongDate,
)
"""All kinds of faults, by name."""
