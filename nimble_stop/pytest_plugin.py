"""The pytest plugin: an endpoint and a client for the tests that ask for them.

It holds fixtures and reads their marker; what they do is `nimble_stop.local.LocalNimble`'s. Nothing
is imported until a fixture is used, so the plugin costs a test suite nothing where it is not.
"""

from __future__ import annotations

import inspect
import os
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nimble_stop import NimbleClient
    from nimble_stop.local import LocalNimble

__all__ = ["nimble_client", "nimble_local", "nimble_local_server", "nimble_local_server_options"]

_MARKER = "nimble_local"
_Values: TypeAlias = dict[str, Any]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(sessions=[], faults=[], real_sleep=False, **options): what the endpoint of a "
        "test begins with. Each session is a mapping of LocalNimble.add_session's arguments, each "
        "fault one of nimble_stop.local's or a FaultRule; with real_sleep=True retries wait as "
        "they do in production. The options are LocalNimble's own arguments.",
    )


@pytest.fixture
def nimble_local(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalNimble]:
    """Run a fresh endpoint, and lead the clients of this API in the process to it.

    The environment holds its endpoint, region and credentials, and no other ``AWS_*`` variable:
    ``AWS_MAX_ATTEMPTS`` is removed too. Retries do not wait. The marker ``nimble_local`` says what
    the endpoint begins with; a test's own goes before its class's.
    """
    from nimble_stop.local import LocalNimble

    contents, options = _read_markers(request, inspect.signature(LocalNimble).parameters)
    with LocalNimble(**options) as local:
        _lead_to(local, monkeypatch)
        _prepare(local, contents, monkeypatch)
        yield local
    _reset_default_client()


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


@pytest.fixture(scope="session")
def nimble_local_server_options() -> _Values:
    """Return `LocalNimble`'s arguments for `nimble_local_server`; override it to give some."""
    return {}


@pytest.fixture(scope="session")
def nimble_local_server(nimble_local_server_options: _Values) -> Iterator[LocalNimble]:
    """Run one endpoint for the whole session; it is reset before each test that uses it.

    The environment leads there until the session ends, as it does with `nimble_local`.
    """
    from nimble_stop.local import LocalNimble

    with (
        LocalNimble(**nimble_local_server_options) as local,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        _lead_to(local, monkeypatch)
        yield local
    _reset_default_client()


@pytest.fixture(autouse=True)
def _reset_nimble_local_server(request: pytest.FixtureRequest) -> None:
    # Automatic, so that it comes before the fixtures with which a test fills the endpoint.
    if "nimble_local_server" in request.fixturenames:
        local: LocalNimble = request.getfixturevalue("nimble_local_server")
        local.reset()
        _reset_default_client()
        # In a test that has an endpoint of its own, the marker is for that one.
        if "nimble_local" not in request.fixturenames:
            contents, _ = _read_markers(request, ())
            _prepare(local, contents, request.getfixturevalue("monkeypatch"))


def _lead_to(local: LocalNimble, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = local.environment_changes(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in changes.variables.items():
        monkeypatch.setenv(name, value)
    _reset_default_client()


def _reset_default_client() -> None:
    # As long as nobody has imported it, there is none.
    if module := sys.modules.get("nimble_stop._client.default_client"):
        module.reset_default_client()


def _read_markers(
    request: pytest.FixtureRequest, options: Collection[str]
) -> tuple[_Values, _Values]:
    """Join the markers, the test's last: what the endpoint contains, and its options."""
    contents: _Values = {"sessions": [], "faults": [], "real_sleep": False}
    given: _Values = {}
    for marker in reversed(list(request.node.iter_markers(_MARKER))):
        if marker.args:
            _fail(f"takes keyword arguments only, not {marker.args[0]!r}.")
        for name, value in marker.kwargs.items():
            if name in {"sessions", "faults"}:
                contents[name] += value
            elif name in {*contents, *options}:
                (contents if name in contents else given)[name] = value
            else:
                close = get_close_matches(name, [*contents, *options], n=1)
                suggestion = f"; did you mean {close[0]!r}?" if close else "."
                known = ", ".join([*contents, *options])
                _fail(f"has no option {name!r} for this fixture{suggestion} It has {known}.")
    return contents, given


def _prepare(local: LocalNimble, contents: _Values, monkeypatch: pytest.MonkeyPatch) -> None:
    import attrs

    from nimble_stop import RetryPolicy
    from nimble_stop.local import FaultRule

    if not contents["real_sleep"]:
        # Sleeping itself stays: a wait for a session would poll without a pause.
        monkeypatch.setattr(RetryPolicy, "delay", _no_delay)
    try:
        for session in contents["sessions"]:
            local.add_session(**session)
        for fault in contents["faults"]:
            # A rule counts, and tests may share a marker.
            rule = attrs.evolve(fault) if isinstance(fault, FaultRule) else FaultRule(fault)
            local.inject_rules([rule])
    except (TypeError, ValueError) as error:
        _fail(f"cannot be used: {error}.")


def _no_delay(*_: object) -> float:
    return 0.0


def _fail(problem: str) -> NoReturn:
    pytest.fail(f"The marker {_MARKER} {problem}", pytrace=False)
