from __future__ import annotations

import pytest

from nimble_stop.local import Latency, LocalNimble
from tests.local.admin.support import ask
from tests.local.support import stop


def test_the_clock(local: LocalNimble) -> None:
    """The sessions' time is moved on, and the transitions with it."""
    before = ask(local, "GET", "/clock").json
    assert before["skippedSeconds"] == 0
    after = ask(local, "POST", "/clock", {"advance": 3600.5}).json
    assert after["skippedSeconds"] == 3600.5
    assert after["now"] > before["now"]
    assert ask(local, "GET", "/clock").json["skippedSeconds"] == local.skipped_seconds


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "advance must be a number"),
        ({"advance": "1"}, "advance must be a number"),
        ({"advance": True}, "advance must be a number"),
        ({"advance": -1}, "0 or more"),
        ({"advance": 1e300}, "9999"),
        ({"advance": 10**400}, "advance"),
        ({"seconds": 1}, "Allowed: advance"),
        ([], "object"),
    ],
)
def test_a_time_that_cannot_be(local: LocalNimble, document: object, message: str) -> None:
    """Time does not go back, nor beyond what a date can say."""
    reply = ask(local, "POST", "/clock", document)
    assert reply.status == 400
    assert message in reply.json["message"]
    assert local.skipped_seconds == 0


def test_export_and_import(local: LocalNimble) -> None:
    """What one endpoint exports another imports as one: sessions, clock and faults."""
    local.add_sample_studio()
    local.inject(Latency(0), times=3)
    local.advance(60)
    state = ask(local, "GET", "/state").json
    with LocalNimble() as another:
        another.add_session(studio_id="s", session_id="gone")
        assert ask(another, "PUT", "/state", state).status == 204
        assert ask(another, "GET", "/state").json == state
        assert another.skipped_seconds == 60


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "object"),
        ({"session": []}, "session"),
        ({"schemaVersion": 9}, "schemaVersion"),
        ({"sessions": [{"studioId": "s"}]}, "sessions[0]"),
        ({"faults": [{"fault": "Late"}]}, "faults[0]"),
        ({"clock": {"skippedSeconds": -1}}, "0 or more"),
    ],
)
def test_a_state_that_cannot_be(local: LocalNimble, document: object, message: str) -> None:
    """Nothing is changed when something in it is wrong."""
    reply = ask(local, "PUT", "/state", document)
    assert reply.status == 400
    assert message in reply.json["message"]
    assert len(local.sessions) == 1


def test_a_large_state(local: LocalNimble) -> None:
    """A state may be larger than other bodies."""
    tags = {"tag": "x" * 1000}
    sessions = [{"studioId": "s", "sessionId": f"{i}", "tags": tags} for i in range(1500)]
    assert ask(local, "PUT", "/state", {"sessions": sessions}).status == 204
    assert len(local.sessions) == 1500


def test_reset(local: LocalNimble) -> None:
    """Everything is gone at once."""
    local.inject(Latency(0))
    local.advance(60)
    stop(local, "studio-1", "session-1")
    assert ask(local, "DELETE", "/state").status == 204
    assert (len(local.sessions), len(local.requests), local.faults) == (0, 0, ())
    assert local.skipped_seconds == 0
