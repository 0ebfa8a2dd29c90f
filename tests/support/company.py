"""What else the process uses: the sync client takes another way beside requests and botocore."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

# Tests run beside both, unless they say otherwise.
import botocore
import requests

if TYPE_CHECKING:
    import pytest

__all__ = ["leave_alone"]

_COMPANY = (botocore.__name__, requests.__name__)


def leave_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process look like one that uses neither."""
    for name in _COMPANY:
        monkeypatch.delitem(sys.modules, name, raising=False)
