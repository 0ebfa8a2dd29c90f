from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import (
    ClockSkew,
    Latency,
    ProxyPage,
    ServiceFailure,
    TrickledBody,
    TruncatedBody,
    WrongDate,
)
from nimble_stop.local.faults import rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop.local import Fault

LIMITS: list[tuple[Callable[..., Fault], str, float, float]] = [
    (Latency, "seconds", 0, -0.1),
    (ServiceFailure, "status", 300, 299),
    (ServiceFailure, "status", 599, 600),
    (ServiceFailure, "retry_after", 0, -1),
    (ServiceFailure, "retry_after_milliseconds", 0, -1),
    (ProxyPage, "status", 200, 199),
    (ProxyPage, "status", 599, 600),
    (TruncatedBody, "keep_bytes", 0, -1),
    (TrickledBody, "seconds_between", 0, -0.1),
    (TrickledBody, "piece_bytes", 1, 0),
]


def test_the_list_of_faults_is_complete() -> None:
    """Every kind of fault is in the list, by name, and acts at some point."""
    names = [kind.__name__ for kind in rules.kinds_of_faults()]
    assert names == sorted(names)
    all_points = {
        point for point in vars(rules).values() if rules.Fault in getattr(point, "__bases__", ())
    }
    assert {kind.point for kind in rules.kinds_of_faults()} == all_points


@pytest.mark.parametrize(("kind", "name", "last", "too_far"), LIMITS)
def test_limits(kind: Callable[..., Fault], name: str, last: float, too_far: float) -> None:
    """An argument may be as large or small as makes sense, and no more."""
    assert getattr(kind(**{name: last}), name) == last
    with pytest.raises(ValueError, match=f"^{name} must be"):
        kind(**{name: too_far})


@pytest.mark.parametrize("kind", [ClockSkew, WrongDate])
def test_a_date_that_cannot_be_written(kind: type[ClockSkew | WrongDate]) -> None:
    """A clock that is off by more years than a date has digits for is refused."""
    for seconds in (-1e15, -1e11, 1e12):
        with pytest.raises(ValueError, match=r"^seconds must be a finite number from"):
            kind(seconds)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ServiceFailure(), 500),
        (ServiceFailure("ThrottlingException"), 429),
        (ServiceFailure(unknown_code="SomethingNew"), 500),
        (ServiceFailure("ThrottlingException", status=503), 503),
    ],
)
def test_the_status_of_a_failure(failure: ServiceFailure, status: int) -> None:
    """A failure has its code's status, unless it names another."""
    assert failure.answer().status == failure.http_status == status


def test_an_unknown_error_code_must_be_meant() -> None:
    """A misspelled code is refused with a suggestion; an unknown one has an argument of its own."""
    with pytest.raises(ValueError, match="did you mean 'ThrottlingException'"):
        ServiceFailure("ThrotlingException")
    assert ServiceFailure(unknown_code="SomethingNew").answer().error_code == "SomethingNew"
