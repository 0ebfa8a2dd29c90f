"""Faults: the points of a request's course at which they act, and the rules of whom they happen to.

A fault is one class, derived from the class of its point; nothing else has to know it. Its fields,
with attrs' validators, are its arguments in Python and its keys in a file.

Faults that act at different points of a request combine: a slow answer can be cut short as well. Of
those that act at the same point the first rule that fits is used, so rules that were added one
after the other happen one after the other.
"""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import attrs
from attrs.validators import optional

from nimble_stop.local.api.answer import STATUSES, Answer, Delivery
from nimble_stop.local.api.operation_table import OPERATIONS
from nimble_stop.local.api.request_target import NOWHERE, Route
from nimble_stop.local.faults import checks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


# A thousand years: a date, of HTTP as of a signature, has a year of four digits.
_FARTHEST_SECONDS: Final = 1000 * 365 * 86_400
offset: Final[checks.Check] = checks.number(-_FARTHEST_SECONDS, _FARTHEST_SECONDS)
_name: Final[checks.Check] = optional(checks.string)

_ids: Final = count(1)
_kinds: Final[dict[str, type[Fault]]] = {}


def kinds_of_faults() -> tuple[type[Fault], ...]:
    """List all kinds of faults that are defined, by name."""
    return tuple(_kinds[name] for name in sorted(_kinds))


class Fault:
    """Anything that can go wrong; see the classes derived from it."""

    point: ClassVar[type[Fault]]
    """The class of the point at which it acts."""

    default_operation: ClassVar[str | None] = None
    """The only operation that a rule without an operation lets it happen to; None for all."""

    def __init_subclass__(cls) -> None:
        """Register a fault under its name, and a point as such."""
        if Fault in cls.__bases__:
            cls.point = cls
        else:
            _kinds[cls.__name__] = cls


_Fault = TypeVar("_Fault", bound=Fault)


@attrs.frozen
class ArrivalFault(Fault):
    """Acts when a request has arrived, before anything is done: the request waits."""

    seconds: float = attrs.field(validator=checks.number(0))


@attrs.frozen
class ClockFault(Fault):
    """Acts when the server reads its clock, which is ahead of the time, or behind."""

    seconds: float = attrs.field(validator=offset)


class AnswerFault(Fault, ABC):
    """Acts instead of the operation: nothing is changed."""

    @abstractmethod
    def answer(self) -> Answer:
        """Return what is answered."""


@attrs.frozen
class ChangeFault(Fault):
    """Acts when an operation begins a transition, which ends in the failed state."""

    status_code: str = attrs.field(default="INTERNAL_ERROR", validator=checks.printable)
    status_message: str | None = attrs.field(default=None, validator=optional(checks.printable))


class DeliveryFault(Fault, Delivery):
    """Acts when the change is made and the answer is sent."""


class DateFault(Fault, ABC):
    """Acts on the answer's ``Date`` header, and only that."""

    @abstractmethod
    def date(self, now: float) -> str:
        """Return the header's text at the server's time, in seconds since 1970 UTC."""


def _check_fault(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, Fault):
        return
    hint = checks.suggestion(value, _kinds)
    if isinstance(value, type) and value in kinds_of_faults():
        hint = f"; make one of it: {value.__name__}(...)"
    elif isinstance(value, str) and value in STATUSES:
        hint = f"; write ServiceFailure({value!r})"
    raise TypeError(
        f"{attribute.name} must be a fault such as Latency(1.5), not {checks.quote(value)}{hint}"
    )


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
        probability: How likely the fault happens to a request that fits, from 0 to 1.
        seed: The seed of the random numbers behind the probability: the same seed, the same
            sequence.
    """

    fault: Fault = attrs.field(validator=_check_fault, on_setattr=attrs.setters.frozen)
    operation: str | None = attrs.field(
        default=None, kw_only=True, validator=optional(checks.one_of(OPERATIONS))
    )
    studio_id: str | None = attrs.field(default=None, kw_only=True, validator=_name)
    session_id: str | None = attrs.field(default=None, kw_only=True, validator=_name)
    times: int | None = attrs.field(
        default=None, kw_only=True, validator=optional(checks.whole_number(1))
    )
    skip: int = attrs.field(default=0, kw_only=True, validator=checks.whole_number(0))
    probability: float = attrs.field(default=1.0, kw_only=True, validator=checks.number(0, 1))
    seed: int = attrs.field(default=0, kw_only=True, validator=checks.whole_number())
    id: int = attrs.field(factory=lambda: next(_ids), init=False)
    """The rule's number, different from every other rule's of the process."""
    fired: int = attrs.field(default=0, init=False)
    """How often the fault has happened."""
    skipped: int = attrs.field(default=0, init=False, repr=False)
    """How many requests that fit were let through first."""
    _random: random.Random = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # it decides about failures only
        if self.operation is None:
            self.operation = self.fault.default_operation

    @property
    def left(self) -> int | None:
        """How often the fault may still happen; None for any number of times."""
        return None if self.times is None else max(0, self.times - self.fired)

    def fits(self, operation: str | None, studio_id: str | None, session_id: str | None) -> bool:
        """Return whether a request is one that the fault happens to."""
        return (
            self.operation in {None, operation}
            and self.studio_id in {None, studio_id}
            and self.session_id in {None, session_id}
        )

    def fires(self) -> bool:
        """Decide about one request that fits, and count."""
        if self.left == 0:
            return False
        if self.skipped < self.skip:
            self.skipped += 1
            return False
        if self._random.random() >= self.probability:
            return False
        self.fired += 1
        return True


class FaultRules:
    """The rules in force, in the order in which they were added; safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Never changed, only replaced, so that reading needs no lock.
        self._rules: tuple[FaultRule, ...] = ()

    def __iter__(self) -> Iterator[FaultRule]:
        return iter(self._rules)

    def remaining(self) -> list[FaultRule]:
        """Return copies of the rules that can still happen, without what they have counted."""
        return [
            attrs.evolve(rule, times=rule.left, skip=rule.skip - rule.skipped)
            for rule in self
            if rule.left != 0
        ]

    def add(self, rules: Iterable[FaultRule]) -> None:
        """Put rules into force, behind those that are."""
        with self._lock:
            self._rules = (*self._rules, *rules)

    def remove(self, rule_id: int) -> bool:
        """Take a rule out of force; return whether it was in force."""
        with self._lock:
            before = self._rules
            self._rules = tuple(rule for rule in before if rule.id != rule_id)
            return len(self._rules) < len(before)

    def clear(self) -> None:
        """Take all rules out of force."""
        with self._lock:
            self._rules = ()

    def take(self, point: type[_Fault], route: Route | None) -> _Fault | None:
        """Return the fault that happens to a request at a point of its course, or None."""
        if not self._rules:
            return None
        with self._lock:
            for rule in self._rules:
                fault, fits = rule.fault, rule.fits(*(route or NOWHERE))
                if isinstance(fault, point) and fits and rule.fires():
                    return fault  # pyright: ignore[reportReturnType] - isinstance has checked it
        return None
