from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import nimble_stop
from nimble_stop import reset_default_client
from nimble_stop._client.default_client import _default
from nimble_stop.exceptions import ConfigurationError, RequestValidationError
from nimble_stop.local import LocalNimble
from tests.support.refused import GOOD, REFUSED
from tests.support.scripted import HANG_GUARD

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalNimble]:
    """Lead the module's own client to the endpoint."""
    with LocalNimble() as local:
        local.add_session(studio_id="studio-1", session_id="session-1")
        for name, value in local.environment.items():
            monkeypatch.setenv(name, value)
        reset_default_client()
        yield local
        reset_default_client()


@pytest.mark.parametrize("arguments", REFUSED, ids=ascii)
def test_refuses_first(arguments: dict[str, Any]) -> None:
    """The module's function checks its arguments even where nothing is configured."""
    reset_default_client()
    (name,) = arguments

    with pytest.raises(RequestValidationError, match=rf"^{name} must be"):
        nimble_stop.stop_session(**{**GOOD, **arguments})


def test_stop(environment: LocalNimble) -> None:
    """The module's function needs nothing but the environment, and keeps its client."""
    session = nimble_stop.stop_session("studio-1", "session-1", retention="RETAIN", deadline=9)

    assert session.state == "STOP_IN_PROGRESS"
    assert _default.get() is _default.get()
    environment.requests.assert_stopped_once("session-1")


def test_threads(environment: LocalNimble) -> None:
    """Threads that come first together get one client."""
    del environment
    barrier = threading.Barrier(8)

    def first(_: int) -> int:
        barrier.wait(HANG_GUARD)
        return id(_default.get())

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(first, range(8)))) == 1


def test_nothing_configured() -> None:
    """Without a region the module's function says so, and can be configured afterwards."""
    reset_default_client()

    with pytest.raises(ConfigurationError, match="no region"):
        nimble_stop.stop_session("studio-1", "session-1")
