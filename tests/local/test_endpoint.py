from __future__ import annotations

import json
import math
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import AccessKey, Latency, LocalNimble, RequestRecord
from nimble_stop.local.storage import busy
from nimble_stop.local.storage.busy import StoreBusyError
from tests.local.support import (
    Elsewhere,
    call,
    connect,
    exchange_bytes,
    get,
    send,
    sessions_path,
    stop,
    stop_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.local.support import Reply


def server_threads() -> int:
    """Count the threads that serve, those of other endpoints included."""
    return [thread.name for thread in threading.enumerate()].count("nimble-stop-local")


def test_it_is_there_inside_the_with_block_only() -> None:
    """It says where it is, and before and after that it is not running."""
    before = server_threads()
    local = LocalNimble()
    assert repr(local) == "<LocalNimble not running>"
    with local as same:
        assert same is local
        assert repr(local) == f"<LocalNimble {local.endpoint_url}>"
        assert local.start() is local
        assert server_threads() == before + 1
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
    """Return whether this machine can listen on IPv6's own loopback address."""
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


def test_skipped_time_stays_skipped(tmp_path: Path) -> None:
    """A restart on the same file finds the time that was skipped, and what is due by it."""
    path = str(tmp_path / "x.db")
    options: dict[str, Any] = {"db": path, "clock": lambda: 1000.0, "max_skew_seconds": math.inf}
    with LocalNimble(**options, transition_seconds=3600) as local:
        local.advance(1800)
        local.add_session(studio_id="s", session_id="x", state="STOP_IN_PROGRESS")
        local.advance(1800)
    with LocalNimble(**options, transition_seconds=3600) as local:
        assert local.now == 4600
        assert local.sessions["s", "x"].state == "STOP_IN_PROGRESS"
        local.advance(1800)
        assert local.sessions["s", "x"].state == "STOPPED"


def test_several_can_run_at_once() -> None:
    """Each has a port, sessions, faults and a journal of its own."""
    with LocalNimble() as first, LocalNimble() as second:
        first.add_session(studio_id="s", session_id="x")
        assert get(first, "s", "x").status == 200
        assert get(second, "s", "x").status == 404
        assert len(first.requests) == len(second.requests) == 1


def test_starting_from_many_threads_starts_one_server() -> None:
    """Eight threads that start it at once find one server, and closing ends it."""
    before = server_threads()
    local = LocalNimble()
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        local.start()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    port = urlsplit(local.endpoint_url).port
    assert server_threads() == before + 1
    local.close()
    assert server_threads() == before
    socket.create_server(("127.0.0.1", port or 0)).close()


def test_closing_before_it_serves(tmp_path: Path) -> None:
    """Port and store are taken by binding, and free again after closing."""
    db = tmp_path / "x.db"
    local = LocalNimble(db=str(db)).bind()
    port = urlsplit(local.endpoint_url).port
    local.close()
    local.close()
    socket.create_server(("127.0.0.1", port or 0)).close()
    assert not db.with_name("x.db-wal").exists()


def test_a_listener_can_close_it(tmp_path: Path) -> None:
    """The request is still answered, then port and store are free again."""
    db = tmp_path / "x.db"
    local = LocalNimble(db=str(db), on_request=lambda _: local.close())
    with local:
        local.add_session(studio_id="s", session_id="x")
        port = urlsplit(local.endpoint_url).port
        (thread,) = (
            thread
            for thread in threading.enumerate()
            if thread is local._thread._thread  # type: ignore[union-attr]  # it serves
        )
        assert get(local, "s", "x").status == 200
        thread.join(10)
        assert not thread.is_alive()
        socket.create_server(("127.0.0.1", port or 0)).close()
        # The last connection to a store takes its write-ahead log away.
        assert not db.with_name("x.db-wal").exists()


@pytest.fixture
def held_store(tmp_path: Path) -> Generator[tuple[LocalNimble, sqlite3.Connection]]:
    """An endpoint whose store another process can write to, and that process's connection."""
    path = str(tmp_path / "x.db")
    with (
        LocalNimble(db=path) as local,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        local.add_session(studio_id="s", session_id="x")
        local.add_session(studio_id="s", session_id="y")
        other.execute("BEGIN IMMEDIATE")
        yield local, other


def test_a_busy_store_holds_nobody_up(
    held_store: tuple[LocalNimble, sqlite3.Connection],
) -> None:
    """While another process writes, reads and health are answered, and a stop waits its turn."""
    local, other = held_store
    answers: list[Reply] = []
    stopping = threading.Thread(target=lambda: answers.append(stop(local, "s", "x")))
    stopping.start()
    assert get(local, "s", "y").status == 200
    health = send(local, "GET", "/_nimble-stop/health", body=None, headers={})
    assert health.json["status"] == "ok"
    assert not answers
    other.execute("COMMIT")
    stopping.join()
    assert [answer.status for answer in answers] == [200]
    local.requests.assert_stopped_once("x")


def test_a_store_that_stays_busy(
    held_store: tuple[LocalNimble, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the end a change fails with an error that may be retried, and nothing has happened."""
    local, other = held_store
    monkeypatch.setattr(busy, "BUSY_SECONDS", 0.05)
    reply = stop(local, "s", "x", token="t")
    assert (reply.status, reply.error) == (500, "InternalServerErrorException")
    with pytest.raises(StoreBusyError):
        local.complete_all()
    other.execute("COMMIT")
    assert stop(local, "s", "x", token="t").status == 200
    local.requests.assert_stopped_once("x")


def test_closing_does_not_wait_for_a_busy_store(
    held_store: tuple[LocalNimble, sqlite3.Connection],
) -> None:
    """Requests that wait for the store are given up, whoever holds it."""
    local, _ = held_store
    with connect(local) as client:
        client.sendall(stop_bytes(local).replace(b"studio-1", b"s").replace(b"session-1", b"x"))
        started = time.monotonic()
        local.close()
        assert time.monotonic() - started < 4


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


@pytest.mark.parametrize("as_document", [True, False])
@pytest.mark.parametrize("in_file", [True, False])
def test_a_seed(tmp_path: Path, as_document: bool, in_file: bool) -> None:  # noqa: FBT001  # pytest's way
    """A store without sessions begins with a document, or a list, given or in a file."""
    sessions = [{"studioId": "s", "sessionId": "x", "state": "STOPPED", "ownedBy": "me"}]
    seed: Any = {"sessions": sessions, "faults": [{"fault": "Latency", "seconds": 0}]}
    seed = seed if as_document else sessions
    if in_file:
        path = tmp_path / "seed.json"
        path.write_text(json.dumps(seed))
        seed = path
    db = str(tmp_path / "x.db")
    local = LocalNimble(db=db, seed=seed, sample=True)
    for _ in range(2):
        with local:
            assert local.sessions["s", "x"].owned_by == "me"
            assert len(local.sessions) == 7
            # The second time the store has sessions, so nothing is added.
            assert [rule.fault for rule in local.faults] == [Latency(0)] * as_document


def test_a_seed_that_cannot_be_read(tmp_path: Path) -> None:
    """The file is named, and nothing is left open."""
    path = tmp_path / "seed.json"
    for text in (None, "{", "[" * 100_000):
        if text is not None:
            path.write_text(text)
        local = LocalNimble(seed=path)
        with pytest.raises(ConfigurationError, match=r"seed\.json.*cannot be read"):
            local.start()
        assert repr(local) == "<LocalNimble not running>"
    path.write_text("[{}]")
    with pytest.raises(ConfigurationError, match=r"seed\.json.*sessions\[0\]: studioId is missing"):
        LocalNimble(seed=path).start()
    with pytest.raises(TypeError, match=r"^sessions\[0\]: studioId is missing"):
        LocalNimble(seed=[{}]).start()


def test_two_processes_fill_one_new_file(tmp_path: Path) -> None:
    """Whoever comes first adds the sample studio, and the others find it."""
    program = """
import sys
from nimble_stop.local import LocalNimble
with LocalNimble(db=sys.argv[1], sample=True) as local:
    print(len(local.sessions))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "x.db")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["6\n"] * 4
