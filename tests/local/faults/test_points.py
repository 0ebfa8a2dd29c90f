from __future__ import annotations

import asyncio
from unittest import mock

import attrs
import pytest

from nimble_stop.local.faults import points
from nimble_stop.local.faults.points import AnswerFault, Fault, kinds_of_faults

POINTS: list[type[Fault]] = [
    point for point in vars(points).values() if isinstance(point, type) and Fault in point.__bases__
]


def test_a_new_fault_is_one_class() -> None:
    """Deriving from a point makes a fault known by its name, at that point."""

    @attrs.frozen
    class BrandNew(AnswerFault):
        """Something new."""

    try:
        assert BrandNew in kinds_of_faults()
        assert BrandNew.point is AnswerFault
    finally:
        del points._kinds["BrandNew"]


def test_points_are_no_faults() -> None:
    """A point itself cannot be injected by name."""
    assert not set(POINTS) & set(kinds_of_faults())


def test_a_fault_has_to_say_what_happens() -> None:
    """A class that leaves out its point's method fails as soon as it acts."""
    with pytest.raises(NotImplementedError):
        points.ChangeFault().failure()
    with pytest.raises(NotImplementedError):
        _ = points.ArrivalFault().delay_seconds
    with pytest.raises(NotImplementedError):
        _ = points.ClockFault().offset_seconds
    with pytest.raises(NotImplementedError):
        AnswerFault().answer()
    with pytest.raises(NotImplementedError):
        points.DateFault().date(0)
    with pytest.raises(NotImplementedError):
        asyncio.run(points.DeliveryFault().deliver(mock.Mock(), b""))
