"""The pytest plugin: an endpoint and a client for each test that asks for one.

It holds fixtures only; what they do is `nimble_stop.local.LocalNimble`'s. Nothing is imported until
a fixture is used, so the plugin costs a test suite nothing where it is not.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nimble_stop import NimbleClient
    from nimble_stop.local import Fault, FaultRule, LocalNimble

__all__ = ["nimble_client", "nimble_local", "pytest_configure"]

_MARKER = "nimble_local"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(sessions=[], faults=[], **options): what the fixture {_MARKER} begins with. "
        "Each session is a mapping of LocalNimble.add_session's arguments, each fault one of "
        "nimble_stop.local's or a FaultRule; the options are LocalNimble's own arguments.",
    )


@pytest.fixture
def nimble_local(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalNimble]:
    """Run a fresh endpoint, and lead the clients of this API in the process to it.

    The environment holds its endpoint, region and credentials, and no other ``AWS_*`` variable;
    `nimble_stop.stop_session` reads it anew.
    The marker ``nimble_local`` says what it begins with; a test's own goes before its class's.
    """
    from nimble_stop.local import LocalNimble

    sessions, faults, options = _read_markers(request.node)
    with LocalNimble(**options) as local:
        for session in sessions:
            local.add_session(**session)
        for fault in faults:
            _inject(local, fault)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in local.environment.items():
            monkeypatch.setenv(name, value)
        # A proxy cannot reach this machine's loopback.
        host = urlsplit(local.endpoint_url).hostname or ""
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, host, prepend=",")
        _forget_default_client()
        yield local
        _forget_default_client()


@pytest.fixture
def nimble_client(nimble_local: LocalNimble) -> Iterator[NimbleClient]:
    """Make a client of the endpoint `nimble_local`."""
    from nimble_stop import NimbleClient

    with NimbleClient(
        endpoint_url=nimble_local.endpoint_url,
        region_name=nimble_local.region_name,
        credentials=nimble_local.credentials,
    ) as client:
        yield client


def _forget_default_client() -> None:
    """Have the client of `nimble_stop.stop_session` made anew, if it was made at all."""
    module = sys.modules.get("nimble_stop._client.default_client")
    if module is not None:
        module.reset_default_client()


def _read_markers(
    node: pytest.Item,
) -> tuple[list[dict[str, Any]], list[Fault | FaultRule], dict[str, Any]]:
    """Gather the markers: the module's and the class's first, the test's last."""
    sessions: list[dict[str, Any]] = []
    faults: list[Fault | FaultRule] = []
    options: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers(_MARKER))):
        given = dict(marker.kwargs)
        sessions.extend(given.pop("sessions", ()))
        faults.extend(given.pop("faults", ()))
        options.update(given)
    return sessions, faults, options


def _inject(local: LocalNimble, fault: Fault | FaultRule) -> None:
    """Put a fault into force; a rule is copied, because it counts, and tests may share a marker."""
    import attrs

    from nimble_stop.local import FaultRule

    if isinstance(fault, FaultRule):
        local.inject_rules([attrs.evolve(fault)])
    else:
        local.inject(fault)
