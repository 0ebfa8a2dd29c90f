"""What all tests begin with: an environment that knows nothing of the developer's AWS account."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.clock import ManualClock
from tests.support.settings import Setup

if TYPE_CHECKING:
    from pathlib import Path

# A busy machine is no reason to fail: only what a property says counts.
settings.register_profile("nimble_stop", deadline=None)
settings.load_profile("nimble_stop")

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home directory without any of AWS's files."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _clean_environment(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take AWS's variables, proxies, the home directory and netrc out of the environment."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.upper() in _PROXY_VARIABLES or name == "NETRC":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(empty_home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands still until a test advances it."""
    return ManualClock()


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """Give a way to set environment and files."""
    return Setup(tmp_path, monkeypatch)
