"""What can go wrong on the way, as values, and the rules that decide when it does.

A fault says what happens; `FaultRules` says to which requests. Faults that act at different points
of a request combine: a slow answer can be cut short as well. Of those that act at the same point,
the first rule that fits is used, so rules that were added one after the other happen one after the
other.
"""

from __future__ import annotations

import math
import random
import threading
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import attrs

from nimble_stop.local.refusals import STATUSES
from nimble_stop.local.routing import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "FAULTS",
    "ClockSkew",
    "Fault",
    "FaultRule",
    "FaultRules",
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


class Point(Enum):
    """Where in a request's course a fault acts, in this order."""

    ARRIVAL = "arrival"
    VERIFICATION = "verification"
    ANSWER = "answer"
    CHANGE = "change"
    DELIVERY = "delivery"
    DATE = "date"


def _finite(minimum: float) -> Callable[[object, attrs.Attribute[float], float], None]:
    """Accept finite numbers from a minimum on."""

    def validate(_: object, attribute: attrs.Attribute[float], value: float) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{attribute.name} must be a number, not {value!r}")
        if not minimum <= value < math.inf:
            bound = "" if minimum == -math.inf else f", {minimum:g} or more"
            raise ValueError(f"{attribute.name} must be a finite number{bound}, not {value!r}")

    return validate


def _whole(
    minimum: int, maximum: int | None = None
) -> Callable[[object, attrs.Attribute[int], int], None]:
    """Accept whole numbers in a range."""

    def validate(_: object, attribute: attrs.Attribute[int], value: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{attribute.name} must be a whole number, not {value!r}")
        if value < minimum or (maximum is not None and value > maximum):
            bound = f"{minimum} or more" if maximum is None else f"from {minimum} to {maximum}"
            raise ValueError(f"{attribute.name} must be {bound}, not {value!r}")

    return validate


def _text(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name} must be a string, not {value!r}")
    if not value.isprintable():
        raise ValueError(f"{attribute.name} must be printable, not {value!r}")


def _text_map(
    _: object, attribute: attrs.Attribute[Mapping[str, str]], value: Mapping[str, str]
) -> None:
    if not isinstance(value, dict) or not all(
        isinstance(text, str) for pair in value.items() for text in pair
    ):
        raise TypeError(f"{attribute.name} must be a mapping of strings, not {value!r}")


_optional = attrs.validators.optional


@attrs.frozen
class Latency:
    """The request is taken up late, and only then verified and carried out.

    The client may have given up by then; what it asked for happens all the same.

    Args:
        seconds: How long it waits.
    """

    point: ClassVar[Point] = Point.ARRIVAL
    seconds: float = attrs.field(validator=_finite(0))


@attrs.frozen
class ClockSkew:
    """The server's clock is off, for the signature's date and the ``Date`` header alike.

    Args:
        seconds: How far it is ahead; negative for behind.
    """

    point: ClassVar[Point] = Point.VERIFICATION
    seconds: float = attrs.field(validator=_finite(-math.inf))


@attrs.frozen
class ServiceFailure:
    """The service answers with an error, and nothing is changed.

    Args:
        code: The error code, such as ``"ThrottlingException"``.
        message: What the error says.
        status: The HTTP status; by default the code's own, 500 for a code that is not known.
        retry_after: Sent as ``Retry-After``, in seconds.
        retry_after_milliseconds: Sent as ``x-amz-retry-after``, in milliseconds.
        reason: The body's member ``code``; by default the error code.
        context: The body's member ``context``.
    """

    point: ClassVar[Point] = Point.ANSWER
    code: str = attrs.field(default="InternalServerErrorException", validator=_text)
    message: str = attrs.field(
        default="This error was injected.",
        kw_only=True,
        validator=attrs.validators.instance_of(str),
    )
    status: int | None = attrs.field(
        default=None, kw_only=True, validator=_optional(_whole(300, 599))
    )
    retry_after: float | None = attrs.field(
        default=None, kw_only=True, validator=_optional(_finite(0))
    )
    retry_after_milliseconds: int | None = attrs.field(
        default=None, kw_only=True, validator=_optional(_whole(0))
    )
    reason: str | None = attrs.field(default=None, kw_only=True, validator=_optional(_text))
    context: Mapping[str, str] = attrs.field(factory=dict, kw_only=True, validator=_text_map)

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
    status: int = attrs.field(default=502, validator=_whole(200, 599))
    html: str | None = attrs.field(
        default=None, validator=_optional(attrs.validators.instance_of(str))
    )


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
    keep_bytes: int | None = attrs.field(default=None, validator=_optional(_whole(0)))


@attrs.frozen
class TrickledBody:
    """The change is made, and the answer's body comes in small pieces.

    Args:
        seconds_between: How long each piece lets wait for itself.
        piece_bytes: How many bytes a piece has.
    """

    point: ClassVar[Point] = Point.DELIVERY
    seconds_between: float = attrs.field(default=0.1, validator=_finite(0))
    piece_bytes: int = attrs.field(default=1, validator=_whole(1))


@attrs.frozen
class WrongDate:
    """The answer's ``Date`` header is wrong, and only that.

    Args:
        seconds: How far it is ahead of the server's clock; negative for behind.
        text: What stands there instead of a date.
    """

    point: ClassVar[Point] = Point.DATE
    seconds: float = attrs.field(default=0.0, validator=_finite(-math.inf))
    text: str | None = attrs.field(default=None, kw_only=True, validator=_optional(_text))


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
    status_code: str = attrs.field(default="INTERNAL_ERROR", validator=_text)
    status_message: str | None = attrs.field(default=None, validator=_optional(_text))


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


def _operation(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value not in OPERATIONS:
        raise ValueError(f"{attribute.name} must be one of {', '.join(OPERATIONS)}, not {value!r}")


def _probability(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} must be a number from 0 to 1, not {value!r}")


@attrs.define(eq=False)
class FaultRule:
    """A fault, and the requests that it happens to.

    Args:
        fault: What happens.
        operation: Only requests for this operation; None for any. A stop's failure happens to
            stops unless another operation is named.
        studio_id: Only requests for this studio; None for any.
        session_id: Only requests for this session; None for any.
        times: How often at most; None for ever.
        skip: How many requests that fit are let through first.
        probability: How likely it happens to a request that fits, from 0 to 1.
        seed: What the probability's dice start from: the same seed, the same sequence.
    """

    fault: Fault = attrs.field(
        validator=attrs.validators.instance_of(FAULTS), on_setattr=attrs.setters.frozen
    )
    operation: str | None = attrs.field(default=None, kw_only=True, validator=_optional(_operation))
    studio_id: str | None = attrs.field(
        default=None, kw_only=True, validator=_optional(attrs.validators.instance_of(str))
    )
    session_id: str | None = attrs.field(
        default=None, kw_only=True, validator=_optional(attrs.validators.instance_of(str))
    )
    times: int | None = attrs.field(default=None, kw_only=True, validator=_optional(_whole(1)))
    skip: int = attrs.field(default=0, kw_only=True, validator=_whole(0))
    probability: float = attrs.field(default=1.0, kw_only=True, validator=_probability)
    seed: int = attrs.field(default=0, kw_only=True, validator=attrs.validators.instance_of(int))
    fired: int = attrs.field(default=0, init=False)
    _skipped: int = attrs.field(default=0, init=False, repr=False)
    _dice: random.Random = attrs.field(init=False, repr=False)

    @_dice.default
    def _start_dice(self) -> random.Random:
        return random.Random(self.seed)  # noqa: S311  # it decides about failures, not secrets

    def __attrs_post_init__(self) -> None:
        if isinstance(self.fault, StopFails) and self.operation is None:
            self.operation = "StopStreamingSession"

    def fits(self, operation: str | None, studio_id: str | None, session_id: str | None) -> bool:
        """Tell whether a request is one that the fault happens to."""
        return (
            self.operation in {None, operation}
            and self.studio_id in {None, studio_id}
            and self.session_id in {None, session_id}
        )

    def fires(self) -> bool:
        """Decide about one request that fits, and keep count."""
        if self.times is not None and self.fired >= self.times:
            return False
        if self._skipped < self.skip:
            self._skipped += 1
            return False
        if self._dice.random() >= self.probability:
            return False
        self.fired += 1
        return True


class FaultRules:
    """The rules in force, in the order in which they were added; safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: dict[Point, list[FaultRule]] = {}

    def add(self, rule: FaultRule) -> None:
        """Put a rule into force."""
        with self._lock:
            self._rules.setdefault(rule.fault.point, []).append(rule)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._rules.clear()

    def take(
        self, point: Point, operation: str | None, studio_id: str | None, session_id: str | None
    ) -> Fault | None:
        """Ask whether something goes wrong at this point of this request."""
        if point not in self._rules:
            return None
        with self._lock:
            for rule in self._rules.get(point, ()):
                if rule.fits(operation, studio_id, session_id) and rule.fires():
                    return rule.fault
        return None
