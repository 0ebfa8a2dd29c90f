from __future__ import annotations

import pytest

from nimble_stop import Timeouts
from nimble_stop.exceptions import RequestValidationError


@pytest.mark.parametrize("name", ["connect", "read"])
def test_bad_timeouts(name: str) -> None:
    """Each part of a time-out must be a number of seconds greater than zero."""
    with pytest.raises(RequestValidationError, match=rf"^{name} must be "):
        Timeouts(**{name: 0})
