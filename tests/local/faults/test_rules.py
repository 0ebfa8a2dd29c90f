from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from nimble_stop.local import FaultRule, Latency, ServiceFailure, StopFails
from nimble_stop.local.api.request_target import Route
from nimble_stop.local.faults import rules as rules_module
from nimble_stop.local.faults.rules import (
    AnswerFault,
    ArrivalFault,
    DateFault,
    DeliveryFault,
    FaultRules,
    kinds_of_faults,
)

if TYPE_CHECKING:
    from nimble_stop.local import Fault

STOP = "StopStreamingSession"


def take(rules: FaultRules, session_id: str = "x", operation: str = STOP) -> Fault | None:
    """Let a request come to the point where it is answered."""
    return rules.take(AnswerFault, Route(operation, "s", session_id))


def test_nothing_goes_wrong_without_rules() -> None:
    """An empty set of rules does nothing."""
    assert take(FaultRules()) is None


def test_a_rule_fits_by_operation_studio_and_session() -> None:
    """All that a rule names has to fit."""
    rule = FaultRule(ServiceFailure(), operation=STOP, studio_id="s", session_id="x")
    assert rule.fits(STOP, "s", "x")
    assert not rule.fits("GetStreamingSession", "s", "x")
    assert not rule.fits(STOP, "t", "x")
    assert not rule.fits(STOP, "s", "y")
    assert FaultRule(ServiceFailure()).fits(None, None, None)


def test_rules_happen_one_after_the_other() -> None:
    """A rule that is used up makes way for the next."""
    rules = FaultRules()
    first, second = ServiceFailure(message="A"), ServiceFailure(message="B")
    rules.add([FaultRule(first, times=2)])
    rules.add([FaultRule(second, times=1)])
    assert [take(rules) for _ in range(4)] == [first, first, second, None]


def test_requests_can_be_let_through_first() -> None:
    """Skipped requests are only those that fit."""
    rules = FaultRules()
    rules.add([FaultRule(ServiceFailure(), skip=1, times=1, session_id="x")])
    assert take(rules, "y") is None
    assert take(rules) is None
    assert take(rules) == ServiceFailure()
    assert take(rules) is None


def test_the_same_seed_gives_the_same_sequence() -> None:
    """A probability is decided by random numbers that can be repeated."""

    def sequence(seed: int) -> list[bool]:
        rule = FaultRule(ServiceFailure(), probability=0.5, seed=seed)
        return [rule.fires() for _ in range(100)]

    assert sequence(1) == sequence(1) != sequence(2)
    assert 20 < sum(sequence(1)) < 80


@pytest.mark.parametrize(("probability", "fired"), [(0, 0), (1, 50)])
def test_never_and_always(probability: float, fired: int) -> None:
    """Probability 0 never happens and 1 always does, and the rule counts."""
    rule = FaultRule(ServiceFailure(), probability=probability)
    for _ in range(50):
        rule.fires()
    assert rule.fired == fired


def test_faults_at_different_points_do_not_meet() -> None:
    """A rule is asked only at the point where its fault acts."""
    rules = FaultRules()
    rules.add([FaultRule(Latency(1), times=1)])
    assert take(rules) is None
    assert rules.take(ArrivalFault, Route(STOP, "s", "x")) == Latency(1)


def test_a_stops_failure_happens_to_stops() -> None:
    """It needs no operation, and can be given another."""
    assert FaultRule(StopFails()).operation == STOP
    other = FaultRule(StopFails(), operation="CreateStreamingSession")
    assert other.operation == "CreateStreamingSession"


def test_cleared_rules_do_nothing() -> None:
    """After clearing nothing goes wrong."""
    rules = FaultRules()
    rules.add([FaultRule(ServiceFailure())])
    rules.clear()
    assert take(rules) is None


def test_what_is_no_fault_is_refused() -> None:
    """A rule needs a fault, an operation that exists and a count that can be reached."""
    with pytest.raises(TypeError):
        FaultRule("Latency")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(ValueError, match="operation must be one of"):
        FaultRule(Latency(1), operation="Stop")
    with pytest.raises(ValueError, match="times must be"):
        FaultRule(Latency(1), times=0)


def test_a_new_fault_is_one_class() -> None:
    """Deriving from a point makes a fault known by its name, at that point."""

    @attrs.frozen
    class BrandNew(AnswerFault):
        """Something new."""

    try:
        assert BrandNew in kinds_of_faults()
        assert BrandNew.point is AnswerFault
    finally:
        del rules_module._kinds["BrandNew"]


@pytest.mark.parametrize("point", [AnswerFault, DateFault, DeliveryFault])
def test_a_fault_has_to_say_what_happens(point: type[Fault]) -> None:
    """A class that leaves out its point's method cannot be made, so no rule can hold it."""
    with pytest.raises(TypeError, match="abstract"):
        point()
