from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import LocalNimble

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture
def local() -> Generator[LocalNimble]:
    """An endpoint with one session that is ready."""
    with LocalNimble() as endpoint:
        endpoint.add_session(studio_id="studio-1", session_id="session-1")
        yield endpoint
