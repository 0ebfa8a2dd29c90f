"""Which requests a fault happens to.

This module owns the rule how faults meet requests. Those that act at different points of a request
combine: a slow answer can be cut short as well. Of those that act at the same point the first rule
that fits is used, so rules that were added one after the other happen one after the other.
"""

from __future__ import annotations

import random
import threading

import attrs
from attrs.validators import instance_of, optional

from nimble_stop.local.api.routes import OPERATIONS
from nimble_stop.local.faults.checks import check_finite, check_one_of, check_string, check_whole
from nimble_stop.local.faults.kinds import FAULTS, Fault, Point, StopFails

__all__ = ["FaultRule", "FaultRules"]


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

    fault: Fault = attrs.field(validator=instance_of(FAULTS), on_setattr=attrs.setters.frozen)
    operation: str | None = attrs.field(
        default=None, kw_only=True, validator=optional(check_one_of(OPERATIONS))
    )
    studio_id: str | None = attrs.field(
        default=None, kw_only=True, validator=optional(check_string)
    )
    session_id: str | None = attrs.field(
        default=None, kw_only=True, validator=optional(check_string)
    )
    times: int | None = attrs.field(default=None, kw_only=True, validator=optional(check_whole(1)))
    skip: int = attrs.field(default=0, kw_only=True, validator=check_whole(0))
    probability: float = attrs.field(default=1.0, kw_only=True, validator=check_finite(0, 1))
    seed: int = attrs.field(default=0, kw_only=True, validator=check_whole())
    fired: int = attrs.field(default=0, init=False)
    _skipped: int = attrs.field(default=0, init=False, repr=False)
    _dice: random.Random = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311  # it decides about failures only
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
