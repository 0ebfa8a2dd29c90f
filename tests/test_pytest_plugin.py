from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

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


SHARED = """
    import unittest

    import nimble_stop
    import pytest
    from nimble_stop import NimbleClient
    from nimble_stop.local import ServiceFailure

    urls = set()


    @pytest.fixture(scope="module")
    def tool(nimble_local_server):
        with NimbleClient() as client:
            yield client


    @pytest.fixture(autouse=True)
    def seed(nimble_local_server):
        nimble_local_server.add_session(studio_id="studio-1", session_id="session-1")


    @pytest.mark.parametrize("number", range(2))
    def test_reset(nimble_local_server, tool, number):
        urls.add(nimble_local_server.endpoint_url)
        assert len(urls) == 1
        assert not nimble_local_server.requests
        tool.stop_session("studio-1", "session-1")
        nimble_local_server.requests.assert_stopped_once("session-1")
        nimble_local_server.inject(ServiceFailure("ConflictException"))


    @pytest.mark.nimble_local(sessions=[{"studio_id": "studio-1", "session_id": "session-2"}])
    def test_marker(nimble_local_server):
        assert len(nimble_local_server.sessions) == 2
        nimble_stop.stop_session("studio-1", "session-2")
        nimble_local_server.requests.assert_stopped_once("session-2")


    @pytest.mark.nimble_local(sessions=[{"studio_id": "studio-1", "session_id": "session-1"}])
    def test_both(nimble_local_server, nimble_local):
        nimble_stop.stop_session("studio-1", "session-1")
        nimble_local.requests.assert_stopped_once("session-1")
        nimble_local_server.requests.assert_not_stopped("session-1")


    def test_the_default_client_comes_back(nimble_local_server):
        nimble_stop.stop_session("studio-1", "session-1")
        nimble_local_server.requests.assert_stopped_once("session-1")


    @pytest.mark.usefixtures("nimble_local_server")
    class TestOfUnittest(unittest.TestCase):
        def test_stop(self):
            nimble_stop.stop_session("studio-1", "session-1")
"""

FAULTS = """
    import asyncio
    import time

    import nimble_stop
    import pytest
    from nimble_stop import AsyncNimbleClient, NimbleClient, RetryPolicy, ThrottlingException
    from nimble_stop.local import ServiceFailure

    pytestmark = pytest.mark.nimble_local(
        sessions=[{"studio_id": "studio-1", "session_id": "session-1"}],
        faults=[ServiceFailure("ThrottlingException", retry_after=1)],
    )


    @pytest.fixture
    def slept(monkeypatch):
        seconds = []
        monkeypatch.setattr(time, "sleep", seconds.append)
        return seconds


    def test_the_default_client(nimble_local, slept):
        with pytest.raises(ThrottlingException):
            nimble_stop.stop_session("studio-1", "session-1")
        assert len(nimble_local.requests) == 3
        assert not any(slept)


    def test_with_the_shared_server(nimble_local_server, slept):
        with pytest.raises(ThrottlingException):
            nimble_stop.stop_session("studio-1", "session-1")
        assert len(nimble_local_server.requests) == 3
        assert not any(slept)


    def test_a_client_with_a_policy_of_its_own(nimble_local, slept):
        with NimbleClient(retry=RetryPolicy(max_attempts=5)) as client:
            with pytest.raises(ThrottlingException):
                client.stop_session("studio-1", "session-1")
        assert len(nimble_local.requests) == 5
        assert not any(slept)


    def test_an_async_client(nimble_local, monkeypatch):
        async def stop():
            async with AsyncNimbleClient() as client:
                await client.stop_session("studio-1", "session-1")

        slept = []
        real = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", lambda seconds: slept.append(seconds) or real(0))
        with pytest.raises(ThrottlingException):
            asyncio.run(stop())
        assert not any(slept)


    @pytest.mark.nimble_local(real_sleep=True)
    def test_retries_that_wait(nimble_client, slept):
        with pytest.raises(ThrottlingException):
            nimble_client.stop_session("studio-1", "session-1")
        assert len(slept) == 2
        assert min(slept) >= 1


    def test_the_number_of_attempts(nimble_local, slept, monkeypatch):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
        with pytest.raises(ThrottlingException):
            nimble_stop.stop_session("studio-1", "session-1")
        assert len(nimble_local.requests) == 2


    @pytest.mark.nimble_local(transition_seconds=None)
    def test_polls_wait(nimble_local, nimble_client, monkeypatch):
        slept = []

        def sleep(seconds):
            slept.append(seconds)
            nimble_local.complete_all()

        monkeypatch.setattr(time, "sleep", sleep)
        nimble_local.clear_faults()
        nimble_client.stop_session("studio-1", "session-1")
        nimble_client.wait_until_stopped("studio-1", "session-1")
        assert len(slept) == 1
        assert slept[0] > 0
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


@pytest.mark.parametrize("fixture", ["nimble_local", "nimble_local_server"])
def test_configuration_files_lead_nowhere_else(pytester: pytest.Pytester, fixture: str) -> None:
    """A client of a test talks to the endpoint, whatever the user's configuration says."""
    folder = pytester.mkdir(".aws")
    (folder / "config").write_text(
        "[default]\nignore_configured_endpoint_urls = true\nuse_fips_endpoint = true\n"
    )
    pytester.makepyfile(f"""
        import nimble_stop


        def test_default_client({fixture}):
            {fixture}.add_session(studio_id="studio-1", session_id="session-1")
            nimble_stop.stop_session("studio-1", "session-1")
            {fixture}.requests.assert_stopped_once("session-1")
    """)
    run(pytester).assert_outcomes(passed=1)


def test_under_xdist(pytester: pytest.Pytester) -> None:
    """Several workers do not get into each other's way."""
    pytester.makepyfile(EXAMPLE)
    result = run(pytester, "-n2")
    result.assert_outcomes(passed=7)


@pytest.mark.parametrize("arguments", [(), ("-n2",), ("-p", "no:cacheprovider", "--setup-show")])
def test_one_server_for_a_session(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    """One endpoint serves all tests, and each of them finds it empty but for its own contents."""
    pytester.makepyfile(SHARED)
    run(pytester, *arguments).assert_outcomes(passed=6)


def test_the_shared_server_has_options_of_its_own(pytester: pytest.Pytester) -> None:
    """A suite gives the shared endpoint options by overriding a fixture."""
    pytester.makepyfile("""
        import pytest


        @pytest.fixture(scope="session")
        def nimble_local_server_options():
            return {"region_name": "eu-west-1"}


        def test_region(nimble_local_server):
            assert nimble_local_server.region_name == "eu-west-1"
    """)
    run(pytester).assert_outcomes(passed=1)


def test_it_ends_with_the_session(pytester: pytest.Pytester) -> None:
    """After the session the environment is as before, and the endpoint no longer runs."""
    pytester.makeconftest("""
        import os

        started = []


        def pytest_runtest_teardown(item):
            started.append(item.funcargs["nimble_local_server"])


        def pytest_unconfigure():
            assert "AWS_ENDPOINT_URL_NIMBLE" not in os.environ
            assert repr(started[0]) == "<LocalNimble not running>"
            print("the session has ended")
    """)
    pytester.makepyfile("def test_nothing(nimble_local_server): pass")
    result = run(pytester, "-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*the session has ended*"])


def test_retries_do_not_wait(pytester: pytest.Pytester) -> None:
    """No client of the process waits between attempts unless the marker wants it; polls do."""
    pytester.makepyfile(FAULTS)
    run(pytester).assert_outcomes(passed=7)


def test_the_environment_of_the_caller_is_left_out(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test runs with the same settings everywhere: the caller's number of attempts is removed."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    pytester.makepyfile(FAULTS)
    run(pytester).assert_outcomes(passed=7)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        (
            "transition_second=1",
            "*no option 'transition_second' *; did you mean 'transition_seconds'? It has *db, *",
        ),
        ("qqq=1", "The marker nimble_local has no option 'qqq' for this fixture. It has *"),
        (
            "[{'studio_id': 's'}]",
            "The marker nimble_local takes keyword arguments only, not [[]{'studio_id': 's'}[]].",
        ),
        (
            "sessions=[{'studio_id': 's', 'session_id': 't', 'state': 'REDY'}]",
            "The marker nimble_local cannot be used: *REDY*",
        ),
        ("faults=['ThrottlingException']", "The marker nimble_local cannot be used: *fault*"),
    ],
)
def test_a_mistake_in_the_marker(pytester: pytest.Pytester, marker: str, message: str) -> None:
    """What the marker cannot say is an error that names it and what it can say."""
    pytester.makepyfile(f"""
        import pytest


        @pytest.mark.nimble_local({marker})
        def test_nothing(nimble_local):
            pass
    """)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_options_are_not_for_the_shared_server(pytester: pytest.Pytester) -> None:
    """An option that one test cannot have of a shared endpoint is refused."""
    pytester.makepyfile("""
        import pytest


        @pytest.mark.nimble_local(transition_seconds=60)
        def test_nothing(nimble_local_server):
            pass
    """)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no option 'transition_seconds' for this fixture*"])


def test_the_example_runs_with_unittest() -> None:
    """The example for unittest needs neither pytest nor the plugin."""
    example = Path(__file__).parent / "examples" / "test_with_unittest.py"
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", str(example)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert ended.returncode == 0, ended.stderr
    assert "Ran 2 tests" in ended.stderr


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
