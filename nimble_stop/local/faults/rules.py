"""Which requests a fault happens to.

This module owns the rule how faults meet requests. Those that act at different points of a request
combine: a slow answer can be cut short as well. Of those that act at the same point the first rule
that fits is used, so rules that were added one after the other happen one after the other.
"""

from __future__ import annotations

import random
import threading
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
from attrs.validators import optional

from nimble_stop.local.api.operation_table import OPERATIONS
from nimble_stop.local.api.refusals import STATUSES
from nimble_stop.local.faults.checks import number, one_of, quote, string, suggestion, whole_number
from nimble_stop.local.faults.points import Fault, kinds_of_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["FaultRule", "FaultRules"]

_Fault = TypeVar("_Fault", bound=Fault)
_ids: Final = count(1)


def _check_fault(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    del instance
    if isinstance(value, Fault):
        return
    kinds = {kind.__name__: kind for kind in kinds_of_faults()}
    message = f"{attribute.name} must be a fault such as Latency(1.5), not {quote(value)}"
    for name, kind in kinds.items():
        if value is kind:
            raise TypeError(f"{message}; make one of it: {name}(...)")
    if isinstance(value, str) and value in STATUSES:
        raise TypeError(f"{message}; write ServiceFailure({value!r})")
    raise TypeError(f"{message}{suggestion(value, list(kinds))}")


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
        default=None, kw_only=True, validator=optional(one_of(OPERATIONS))
    )
    studio_id: str | None = attrs.field(default=None, kw_only=True, validator=optional(string))
    session_id: str | None = attrs.field(default=None, kw_only=True, validator=optional(string))
    times: int | None = attrs.field(default=None, kw_only=True, validator=optional(whole_number(1)))
    skip: int = attrs.field(default=0, kw_only=True, validator=whole_number(0))
    probability: float = attrs.field(default=1.0, kw_only=True, validator=number(0, 1))
    seed: int = attrs.field(default=0, kw_only=True, validator=whole_number())
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

    def fits(self, operation: str | None, studio_id: str | None, session_id: str | None) -> bool:
        """Return whether a request is one that the fault happens to."""
        return (
            self.operation in {None, operation}
            and self.studio_id in {None, studio_id}
            and self.session_id in {None, session_id}
        )

    def fires(self) -> bool:
        """Decide about one request that fits, and count."""
        if self.times is not None and self.fired >= self.times:
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
        self._rules: list[FaultRule] = []
        # A request without faults costs a lookup in this set, and no lock.
        self._points: frozenset[type[Fault]] = frozenset()

    def __iter__(self) -> Iterator[FaultRule]:
        with self._lock:
            return iter(tuple(self._rules))

    def remaining(self) -> list[FaultRule]:
        """Return copies of the rules that can still happen, without what they have counted."""
        return [
            attrs.evolve(
                rule,
                times=None if rule.times is None else rule.times - rule.fired,
                skip=rule.skip - rule.skipped,
            )
            for rule in self
            if rule.times is None or rule.fired < rule.times
        ]

    def add(self, rules: Iterable[FaultRule]) -> None:
        """Put rules into force, behind those that are."""
        with self._lock:
            self._replace([*self._rules, *rules])

    def remove(self, rule_id: int) -> bool:
        """Take a rule out of force.

        Returns:
            Whether it was in force.
        """
        with self._lock:
            kept = [rule for rule in self._rules if rule.id != rule_id]
            removed = len(kept) < len(self._rules)
            self._replace(kept)
        return removed

    def clear(self) -> None:
        """Take all rules out of force."""
        with self._lock:
            self._replace([])

    def _replace(self, rules: list[FaultRule]) -> None:
        self._rules = rules
        self._points = frozenset(rule.fault.point for rule in rules)

    def take(
        self,
        point: type[_Fault],
        operation: str | None,
        studio_id: str | None,
        session_id: str | None,
    ) -> _Fault | None:
        """Return the fault that happens to a request at a point of its course, or None."""
        if point not in self._points:
            return None
        with self._lock:
            for rule in self._rules:
                fault = rule.fault
                if (
                    isinstance(fault, point)
                    and rule.fits(operation, studio_id, session_id)
                    and rule.fires()
                ):
                    return fault  # pyright: ignore[reportReturnType] - isinstance has checked it
        return None
