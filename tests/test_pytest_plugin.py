from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

EXAMPLE = """
    import os

    import nimble_stop
    import pytest
    from nimble_stop.local import FaultRule, ServiceFailure

    READY = {"studio_id": "studio-1", "session_id": "session-1"}
    THROTTLED = FaultRule(
        ServiceFailure("ThrottlingException", retry_after_milliseconds=0), times=1
    )

    pytestmark = pytest.mark.nimble_local(sessions=[READY])


    def test_stop(nimble_local, nimble_client):
        nimble_client.stop_session("studio-1", "session-1")
        nimble_local.requests.assert_stopped_once("session-1")


    @pytest.mark.parametrize("number", range(2))
    @pytest.mark.nimble_local(faults=[THROTTLED, ServiceFailure("ConflictException")])
    def test_faults_are_fresh_for_every_test(nimble_local, nimble_client, number):
        with pytest.raises(Exception, match="Conflict"):
            nimble_client.stop_session("studio-1", "session-1")
        assert [record.status for record in nimble_local.requests] == [429, 409]


    @pytest.mark.parametrize("number", range(2))
    def test_the_default_client_follows(nimble_local, number):
        nimble_stop.stop_session("studio-1", "session-1")
        nimble_local.requests.assert_stopped_once("session-1")


    @pytest.mark.nimble_local(
        sessions=[{"studio_id": "studio-1", "session_id": "session-2", "state": "STOPPED"}],
        region_name="eu-west-1",
        transition_seconds=None,
    )
    def test_markers_add_up(nimble_local):
        assert len(nimble_local.sessions) == 2
        assert nimble_local.region_name == "eu-west-1"


    def test_the_environment_leads_to_the_endpoint(nimble_local):
        variables = {name: os.environ[name] for name in os.environ if name.startswith("AWS_")}
        assert variables == nimble_local.environment
        assert os.environ["NO_PROXY"].startswith("127.0.0.1")
"""


def test_the_fixtures(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test gets an endpoint of its own, a client for it, and what its markers say."""
    monkeypatch.setenv("AWS_PROFILE", "somebody-elses")
    pytester.makepyfile(EXAMPLE)
    result = run(pytester)
    result.assert_outcomes(passed=7)


def test_a_proxy_is_passed_by(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is asked for the endpoint, wherever it listens, and what was exempt stays so."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "studio.example")
    pytester.makepyfile("""
        import os
        import pytest

        SESSIONS = [{"studio_id": "studio-1", "session_id": "session-1"}]


        @pytest.mark.parametrize("number", range(2))
        @pytest.mark.nimble_local(host="localhost", sessions=SESSIONS)
        def test_stop(nimble_client, number):
            nimble_client.stop_session("studio-1", "session-1")
            assert os.environ["NO_PROXY"] == "localhost,studio.example"
    """)
    run(pytester).assert_outcomes(passed=2)


def test_under_xdist(pytester: pytest.Pytester) -> None:
    """Several workers do not get into each other's way."""
    pytester.makepyfile(EXAMPLE)
    result = run(pytester, "-n2")
    result.assert_outcomes(passed=7)


def test_the_marker_is_known(pytester: pytest.Pytester) -> None:
    """The marker and the fixtures are listed, with what they are for."""
    result = run(pytester, "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.nimble_local(sessions=*"])
    result = run(pytester, "--fixtures")
    result.stdout.fnmatch_lines(["nimble_local*", "nimble_client*"])


def test_it_costs_nothing_where_it_is_not_used() -> None:
    """The plugin alone imports neither the endpoint nor anything large."""
    program = """
import sys
import pytest
before = set(sys.modules)
import nimble_stop.pytest_plugin
new = {name.partition(".")[0] for name in set(sys.modules) - before}
ours = {name for name in sys.modules if name.startswith("nimble_stop.")}
print(sorted(new & {"aiohttp", "attrs", "botocore", "cattrs", "requests", "sqlite3"}), sorted(ours))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = ["nimble_stop._version", "nimble_stop.exceptions", "nimble_stop.pytest_plugin"]
    assert ended.stdout.strip() == f"[] {loaded}"


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in a process of its own, as users do, with the plugin exactly once."""
    if not metadata.entry_points(group="pytest11", name="nimble_stop"):
        arguments = ("-p", "nimble_stop.pytest_plugin", *arguments)
    return pytester.runpytest_subprocess("--strict-markers", "-W", "error", *arguments)
