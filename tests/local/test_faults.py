from __future__ import annotations

import pytest

from nimble_stop.local import ClockSkew, ServiceFailure, WrongDate
from nimble_stop.local.faults import FAULTS, Fault, Point


def test_the_list_of_faults_is_complete() -> None:
    """Every kind of fault is in the list, by name, and acts at some point."""
    names = [kind.__name__ for kind in FAULTS]
    assert names == sorted(names)
    assert set(FAULTS) == set(Fault.__args__)
    assert {kind.point for kind in FAULTS} == set(Point)


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
        (ServiceFailure("SomethingNew"), 500),
        (ServiceFailure("ThrottlingException", status=503), 503),
    ],
)
def test_the_status_of_a_failure(failure: ServiceFailure, status: int) -> None:
    """A failure has its code's status, unless it names another."""
    assert failure.http_status == status
