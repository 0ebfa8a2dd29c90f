from __future__ import annotations

import math
import socket
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import (
    AccessKey,
    FaultRule,
    LocalNimble,
    RequestRecord,
    ServiceFailure,
)

from .support import Elsewhere, call, exchange_bytes, get, sessions_path, stop, stop_bytes

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_there_inside_the_with_block_only() -> None:
    """It says where it is, and before and after that it is not running."""
    local = LocalNimble()
    assert repr(local) == "<LocalNimble not running>"
    with local as same:
        assert same is local
        assert repr(local) == f"<LocalNimble {local.endpoint_url}>"
        assert local.start() is local
        assert [thread.name for thread in threading.enumerate()].count("nimble-stop-local") == 1
    for use in (lambda: local.endpoint_url, lambda: local.sessions, local.complete_all):
        with pytest.raises(RuntimeError, match="not running"):
            use()
    assert len(local.requests) == 0
    local.close()


def test_the_environment_leads_here(local: LocalNimble) -> None:
    """Endpoint, credentials and region are those that the endpoint accepts, and come first."""
    assert list(local.environment.items())[:4] == [
        ("AWS_ENDPOINT_URL_NIMBLE", local.endpoint_url),
        ("AWS_ACCESS_KEY_ID", local.credentials.access_key),
        ("AWS_SECRET_ACCESS_KEY", local.credentials.secret_key),
        ("AWS_DEFAULT_REGION", local.region_name),
    ]
    changes = local.environment_changes({"NO_PROXY": "example.com"})
    assert changes.variables["NO_PROXY"] == "127.0.0.1,example.com"
    assert "AWS_PROFILE" in changes.unset


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost", "", "127.0.0.1"])  # noqa: S104  # the cases in question
def test_the_endpoint_url_can_be_gone_to(host: str) -> None:
    """Wherever it listens, everywhere included, its URL leads there."""
    with LocalNimble(host=host, admin=False) as local:
        local.add_session(studio_id="s", session_id="x")
        assert get(local, "s", "x").status == 200


@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6(host: str) -> None:
    """Its URL leads there over IPv6 too; a machine without IPv6 says that it cannot listen."""
    local = LocalNimble(host=host, admin=False)
    if not has_ipv6():
        with pytest.raises(ConfigurationError, match=host):
            local.start()
        return
    with local:
        local.add_session(studio_id="s", session_id="x")
        assert get(local, "s", "x").status == 200


def has_ipv6() -> bool:
    """Tell whether this machine can listen on IPv6's own loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_temporary_and_further_credentials() -> None:
    """Each of several key pairs is accepted, a temporary one with its token only."""
    temporary = AccessKey("ASIA", "secret", "token")
    with LocalNimble(credentials=[temporary, AccessKey("AKID", "other")]) as local:
        local.add_session(studio_id="s", session_id="x")
        assert local.environment["AWS_SESSION_TOKEN"] == "token"
        assert local.credentials.token == "token"
        assert stop(local, "s", "x").session["stoppedBy"] == "ASIA"
        from botocore.credentials import Credentials

        for credentials, status in (
            (Credentials("AKID", "other"), 200),
            (Credentials("ASIA", "secret"), 403),
            (Credentials("AKID", "other", "token"), 403),
        ):
            other = Elsewhere(local.endpoint_url, credentials, local.region_name)
            assert get(other, "s", "x").status == status


def test_the_region_counts() -> None:
    """A signature for another region is refused."""
    with LocalNimble(region_name="eu-west-1") as local:
        local.add_session(studio_id="s", session_id="x")
        assert get(local, "s", "x").status == 200
        assert ":eu-west-1:" in (local.sessions["s", "x"].arn or "")
        other = Elsewhere(local.endpoint_url, local.credentials, "us-west-2")
        assert get(other, "s", "x").error == "InvalidSignatureException"


def test_the_clock_decides_about_signatures_and_times() -> None:
    """A clock can be passed in; with max_skew_seconds any signature date is good."""
    options: dict[str, Any] = {"clock": lambda: 60.0}
    with LocalNimble(**options) as local:
        reply = call(local, "GET", sessions_path("s"))
        assert reply.error == "InvalidSignatureException"
        assert reply.headers["date"] == "Thu, 01 Jan 1970 00:01:00 GMT"
    with LocalNimble(**options, max_skew_seconds=math.inf) as local:
        local.add_session(studio_id="s", session_id="x")
        assert stop(local, "s", "x").session["stoppedAt"] == "1970-01-01T00:01:00Z"


@pytest.mark.parametrize(
    "options",
    [
        {"transition_seconds": -1},
        {"transition_seconds": math.nan},
        {"transition_seconds": math.inf},
        {"max_skew_seconds": -1},
        {"max_skew_seconds": math.nan},
        {"journal_size": -1},
        {"credentials": []},
    ],
)
def test_bad_arguments(options: dict[str, Any]) -> None:
    """An argument that cannot be used is a ValueError that names it."""
    (name,) = options
    with pytest.raises(ValueError, match=name):
        LocalNimble(**options)


@pytest.mark.parametrize("region_name", ["", "x y", "us-west-2\n"])
def test_bad_region(region_name: str) -> None:
    """A region that no client would sign for is refused."""
    with pytest.raises(ConfigurationError, match="region_name"):
        LocalNimble(region_name=region_name)


def test_limits_that_let_nothing_through() -> None:
    """No skew and no journal at all can be asked for."""
    with LocalNimble(clock=lambda: 60.5, max_skew_seconds=0, journal_size=0) as local:
        assert call(local, "GET", sessions_path("s")).error == "InvalidSignatureException"
        assert len(local.requests) == 0


def test_a_store_that_cannot_be_used(tmp_path: Path) -> None:
    """A bad file is an error of the configuration and leaves nothing open."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        LocalNimble(db=str(tmp_path)).start()


def test_a_port_that_cannot_be_taken(local: LocalNimble) -> None:
    """A port in use is an error of the configuration and leaves nothing open."""
    port = int(local.endpoint_url.rpartition(":")[2])
    other = LocalNimble(port=port)
    with pytest.raises(ConfigurationError, match="cannot listen"):
        other.start()
    with pytest.raises(RuntimeError, match="not running"):
        _ = other.sessions


def test_sessions_can_be_added(local: LocalNimble) -> None:
    """An added session is what clients read."""
    added = local.add_session(
        studio_id="studio/1", session_id="x y", state="STOPPED", owned_by="me", tags={"a": "b"}
    )
    assert (added.state, added.owned_by, added.tags) == ("STOPPED", "me", {"a": "b"})
    assert get(local, "studio/1", "x y").session["ownedBy"] == "me"


def test_a_session_cannot_be_added_twice(local: LocalNimble) -> None:
    """An id is taken once in a studio."""
    with pytest.raises(ValueError, match="has a session 'session-1' already"):
        local.add_session(studio_id="studio-1", session_id="session-1")


@pytest.mark.parametrize(
    "arguments",
    [
        {"session_id": ".."},
        {"session_id": "x", "state": "REDY"},
        {"session_id": "x", "owner": "me"},
        {"session_id": "x", "created_at": "2026-01-01T00:00:00"},
    ],
)
def test_a_session_that_no_client_could_read(local: LocalNimble, arguments: dict[str, Any]) -> None:
    """What cannot be added leaves nothing behind."""
    with pytest.raises((TypeError, ValueError)):
        local.add_session(studio_id="studio-1", **arguments)
    assert list(local.sessions) == [("studio-1", "session-1")]


def test_time_can_be_moved() -> None:
    """Advancing completes transitions, and signatures do not notice."""
    with LocalNimble(transition_seconds=3600) as local:
        local.add_session(studio_id="s", session_id="x")
        stop(local, "s", "x")
        local.advance(3599)
        assert get(local, "s", "x").session["state"] == "STOP_IN_PROGRESS"
        local.advance(2)
        assert get(local, "s", "x").session["state"] == "STOPPED"


def test_transitions_by_hand() -> None:
    """Without a duration a test says when a transition ends."""
    with LocalNimble(transition_seconds=None) as local:
        for session_id in ("x", "y", "z"):
            local.add_session(studio_id="s", session_id=session_id)
            stop(local, "s", session_id)
        local.advance(1_000_000)
        assert local.sessions["s", "x"].state == "STOP_IN_PROGRESS"
        local.complete("s", "x")
        assert local.sessions["s", "x"].state == "STOPPED"
        assert local.complete_all() == 2
        with pytest.raises(ValueError, match="'x' of 's' is in no transition"):
            local.complete("s", "x")


def test_a_session_in_transition_can_be_added() -> None:
    """It leaves its state as if it had entered it just now."""
    with LocalNimble(transition_seconds=10) as local:
        local.add_session(studio_id="s", session_id="x", state="STOP_IN_PROGRESS")
        assert local.sessions["s", "x"].state == "STOP_IN_PROGRESS"
        local.advance(10)
        assert local.sessions["s", "x"].state == "STOPPED"


def test_faults_can_be_ended(local: LocalNimble) -> None:
    """Rules are put into force and taken out again, and tell how often they happened."""
    rule = local.inject(ServiceFailure())
    local.inject_rules([FaultRule(ServiceFailure("ThrottlingException"))])
    assert get(local, "studio-1", "session-1").status == 500
    local.clear_faults()
    assert get(local, "studio-1", "session-1").status == 200
    assert rule.fired == 1


def test_a_reset_forgets_everything(local: LocalNimble) -> None:
    """Sessions, tokens, faults, requests and skipped time are gone."""
    stop(local, "studio-1", "session-1", token="t")
    local.inject(ServiceFailure())
    local.advance(3600)
    local.reset()
    assert len(local.sessions) == len(local.requests) == 0
    added = local.add_session(studio_id="studio-1", session_id="session-1")
    assert added.created_at is not None
    assert added.created_at <= datetime.now(UTC)
    assert stop(local, "studio-1", "session-1", token="t").status == 200
    local.requests.assert_stopped_once("session-1")


def test_requests_can_be_listened_to() -> None:
    """Each request is passed on as it is answered."""
    heard: list[RequestRecord] = []
    with LocalNimble(on_request=heard.append) as local:
        get(local, "s", "x")
        assert heard == list(local.requests)


def test_a_restart_has_the_same_address_and_sessions(tmp_path: Path) -> None:
    """After a restart clients go on, and what was in transition has gone on too."""
    local = LocalNimble(db=str(tmp_path / "x.db"), transition_seconds=0.0)
    with local:
        url = local.endpoint_url
        local.add_session(studio_id="s", session_id="x")
        first = stop(local, "s", "x", token="t")
    with local:
        assert local.endpoint_url == url
        assert local.sessions["s", "x"].state == "STOPPED"
        assert stop(local, "s", "x", token="t").body == first.body


def test_time_in_between_counts(tmp_path: Path) -> None:
    """A transition that was cut off is completed after the restart, as of when it was due."""
    now = 1000.0
    options: dict[str, Any] = {
        "db": str(tmp_path / "x.db"),
        "clock": lambda: now,
        "max_skew_seconds": math.inf,
        "transition_seconds": 60.0,
    }
    with LocalNimble(**options) as local:
        local.add_session(studio_id="s", session_id="x")
        stop(local, "s", "x")
    now += 59
    with LocalNimble(**options) as local:
        assert local.sessions["s", "x"].state == "STOP_IN_PROGRESS"
    now += 1000
    with LocalNimble(**options) as local:
        session = local.sessions["s", "x"]
        assert session.state == "STOPPED"
        assert session.updated_at is not None
        assert session.updated_at.timestamp() == 1060


def test_what_was_advanced_over_stays_completed(tmp_path: Path) -> None:
    """A transition that moved time completed is so in the file, for whoever opens it next."""
    path = str(tmp_path / "x.db")
    with LocalNimble(db=path, transition_seconds=3600) as local:
        local.add_session(studio_id="s", session_id="x", state="STOP_IN_PROGRESS")
        local.advance(3600)
    with LocalNimble(db=path) as local:
        assert local.sessions["s", "x"].state == "STOPPED"


def test_two_endpoints_can_share_a_file(tmp_path: Path) -> None:
    """What one changes the other sees, and a token acts once over both."""
    path = str(tmp_path / "x.db")
    with LocalNimble(db=path) as first, LocalNimble(db=path) as second:
        for number in range(20):
            first.add_session(studio_id="s", session_id=f"x{number}")
        bodies: dict[int, list[bytes]] = {number: [] for number in range(20)}

        def run(local: LocalNimble) -> None:
            for number, answers in bodies.items():
                answers.append(stop(local, "s", f"x{number}", token=f"t{number}").body)

        threads = [threading.Thread(target=run, args=(local,)) for local in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(one == other for one, other in bodies.values())
        applied = [len(local.requests.matching(applied=True)) for local in (first, second)]
        assert sum(applied) == 20
        assert all(session.state == "STOPPED" for session in second.sessions.values())


def test_identical_requests_at_once_act_once(local: LocalNimble) -> None:
    """Of several requests with one token one acts, and all get its answer."""
    data = stop_bytes(local)
    answers: list[bytes] = []
    barrier = threading.Barrier(8)

    def run() -> None:
        barrier.wait()
        answers.append(exchange_bytes(local, data).partition(b"\r\n\r\n")[2])

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    local.requests.assert_stopped_once("session-1")
    local.requests.assert_attempts(8, session_id="session-1")
