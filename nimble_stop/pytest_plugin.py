"""The pytest plugin: an endpoint and a client for the tests that ask for them.

It holds fixtures and reads their marker. Nothing is imported until a fixture is used.
"""

from __future__ import annotations

import inspect
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from nimble_stop import NimbleClient
    from nimble_stop.local import LocalNimble

_OWN_OPTIONS = ("sessions", "faults", "real_sleep")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "nimble_local(sessions=[], faults=[], real_sleep=False, **options): what the endpoint of a "
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
    ``AWS_MAX_ATTEMPTS`` is removed too. Retries do not wait. The marker says what it begins with.
    """
    from nimble_stop.local import LocalNimble

    marked = _read_markers(request, *inspect.signature(LocalNimble).parameters)
    local = LocalNimble(**{name: marked[name] for name in marked.keys() - _OWN_OPTIONS})
    with _running(local, monkeypatch):
        _prepare(local, marked, monkeypatch)
        yield local


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
def nimble_local_server_options() -> dict[str, Any]:
    """Return `LocalNimble`'s arguments for `nimble_local_server`; override it to give some."""
    return {}


@pytest.fixture(scope="session")
def nimble_local_server(nimble_local_server_options: dict[str, Any]) -> Iterator[LocalNimble]:
    """Run one endpoint for the whole session; it is reset before each test that uses it.

    The environment leads there until the session ends, as it does with `nimble_local`.
    """
    from nimble_stop.local import LocalNimble

    local = LocalNimble(**nimble_local_server_options)
    with pytest.MonkeyPatch.context() as monkeypatch, _running(local, monkeypatch):
        yield local


@pytest.fixture(autouse=True)
def _reset_nimble_local_server(request: pytest.FixtureRequest) -> None:
    # Automatic, so that it comes before the fixtures with which a test fills the endpoint.
    if "nimble_local_server" in request.fixturenames:
        local: LocalNimble = request.getfixturevalue("nimble_local_server")
        local.reset()
        if "nimble_local" not in request.fixturenames:  # Else the marker is for that one.
            _prepare(local, _read_markers(request), request.getfixturevalue("monkeypatch"))


@contextmanager
def _running(local: LocalNimble, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    from nimble_stop import reset_default_client

    with local:
        changes = local.environment_changes(os.environ)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in changes.variables.items():
            monkeypatch.setenv(name, value)
        reset_default_client()
        yield
    reset_default_client()


def _read_markers(request: pytest.FixtureRequest, *options: str) -> dict[str, Any]:
    """Join the markers: the module's and the class's first, the test's last."""
    from nimble_stop.local.faults.checks import suggestion

    marked: dict[str, Any] = {"sessions": [], "faults": [], "real_sleep": False}
    known = list(dict.fromkeys([*marked, *options]))
    for marker in reversed(list(request.node.iter_markers("nimble_local"))):
        if marker.args:
            _fail(f"takes keyword arguments only, not {marker.args[0]!r}.")
        for name, value in marker.kwargs.items():
            if name not in known:
                hint = f"{suggestion(name, known) or '.'} It has {', '.join(known)}."
                _fail(f"has no option {name!r} for this fixture{hint}")
            marked[name] = [*marked[name], *value] if name in {"sessions", "faults"} else value
    return marked


def _prepare(local: LocalNimble, marked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from unittest.mock import Mock

    import attrs

    from nimble_stop import RetryPolicy, reset_default_client
    from nimble_stop.local.faults.fault_file import read_faults

    reset_default_client()
    if not marked["real_sleep"]:
        # Sleeping itself stays: a wait for a session would poll without a pause.
        monkeypatch.setattr(RetryPolicy, "delay", Mock(return_value=0.0))
    try:
        for session in marked["sessions"]:
            local.add_session(**session)
        # A rule counts, and tests may share a marker.
        local.inject_rules([attrs.evolve(rule) for rule in read_faults(marked["faults"])])
    except (TypeError, ValueError) as error:
        _fail(f"cannot be used: {error}.")


def _fail(problem: str) -> NoReturn:
    pytest.fail(f"The marker nimble_local {problem}", pytrace=False)
