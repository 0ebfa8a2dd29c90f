from __future__ import annotations

import pytest

from nimble_stop._transport.time_limit import TimeLimit


@pytest.mark.parametrize("seconds", [1e7, 1e12, 1e300, float("inf")])
def test_very_long(seconds: float) -> None:
    """A limit of years is no more than a socket can bear."""
    assert 0 < TimeLimit(seconds).remaining <= 1_000_000


def test_time_limit() -> None:
    """A limit within another is the tighter of both, and a limit that is over says so."""
    assert TimeLimit(10).within(1).remaining <= 1
    assert TimeLimit(1).within(10).remaining <= 1
    with pytest.raises(TimeoutError):
        assert TimeLimit(-1).remaining
