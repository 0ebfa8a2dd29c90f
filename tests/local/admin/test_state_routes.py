from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import Latency, LocalNimble
from nimble_stop.local.faults.rules import kinds_of_faults
from tests.local.admin.support import DOCUMENT, ask
from tests.local.support import get, stop

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture
def manual() -> Generator[LocalNimble]:
    """An endpoint whose transitions wait to be completed."""
    with LocalNimble(transition_seconds=None) as endpoint:
        yield endpoint


def test_adding_one(local: LocalNimble) -> None:
    """A session is answered whole, with its place, and is there for everybody."""
    reply = ask(
        local,
        "POST",
        "/sessions",
        {"studioId": "s/1", "sessionId": "a b", "state": "STOPPED", "tags": {"a": "1"}},
    )
    assert reply.status == 201
    assert reply.headers["location"] == "/_nimble-stop/sessions/s%2F1/a%20b"
    assert reply.json["studioId"] == "s/1"
    assert ask(local, "GET", "/sessions/s%2F1/a%20b").json == reply.json
    assert local.sessions["s/1", "a b"].state == "STOPPED"
    assert local.sessions["s/1", "a b"].tags == {"a": "1"}


def test_adding_several(local: LocalNimble) -> None:
    """A list is answered with a list."""
    sessions = [{"studioId": "s", "sessionId": name} for name in "ab"]
    reply = ask(local, "POST", "/sessions", sessions)
    assert reply.status == 201
    assert [session["sessionId"] for session in reply.json["sessions"]] == ["a", "b"]
    assert ask(local, "POST", "/sessions", []).json == {"sessions": []}


def test_adding_all_or_none(local: LocalNimble) -> None:
    """One that cannot be added keeps the others out, and is named."""
    sessions = [{"studioId": "s", "sessionId": "a"}, {"studioId": "s", "sessionId": 7}]
    reply = ask(local, "POST", "/sessions", sessions)
    assert reply.status == 400
    assert "sessions[1]: sessionId" in reply.json["message"]
    assert len(local.sessions) == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"sessionId": "x"}, "studioId"),
        ({"studioId": "s"}, "sessionId"),
        ({"studioId": "s", "sessionId": "."}, "sessionId"),
        ({"studioId": "s", "sessionId": "x", "stat": "READY"}, "did you mean 'state'?"),
        ({"studioId": "s", "sessionId": "x", "state": "REDY"}, "READY"),
        ({"studioId": "s", "sessionId": "x", "state": 1}, "state"),
        ({"studioId": "s", "sessionId": "x", "maxBackupsToRetain": "1"}, "maxBackupsToRetain"),
        ({"studioId": "s", "sessionId": "x", "createdAt": "yesterday"}, "yesterday"),
        ({"studioId": "s", "sessionId": "x", "volumeConfiguration": {"sise": 1}}, "sise"),
        ({"studioId": "s", "sessionId": "x", "transition": {}}, "transition"),
        ("x", "object"),
    ],
)
def test_a_session_that_cannot_be(local: LocalNimble, document: object, message: str) -> None:
    """The message names what is wrong by its name on the wire, and nothing is added."""
    reply = ask(local, "POST", "/sessions", document)
    assert reply.status == 400
    assert message in reply.json["message"]
    assert "sessions[0]" not in reply.json["message"]
    assert len(local.sessions) == 1


def test_adding_one_that_exists(local: LocalNimble) -> None:
    """A session is not replaced."""
    reply = ask(local, "POST", "/sessions", {"studioId": "studio-1", "sessionId": "session-1"})
    assert reply.status == 409
    assert "'session-1' already" in reply.json["message"]
    twice = ask(local, "POST", "/sessions", [{"studioId": "s", "sessionId": "a_b"}] * 2)
    assert twice.status == 409
    assert "'a_b' already" in twice.json["message"]


def test_listing(local: LocalNimble) -> None:
    """All are listed in the order of creation, or those that are asked for."""
    added = [
        {"studioId": "s", "sessionId": "deleted", "state": "DELETED"},
        {"studioId": "s", "sessionId": "ready"},
    ]
    ask(local, "POST", "/sessions", added)

    def names(query: str = "") -> list[str]:
        sessions = ask(local, "GET", f"/sessions{query}").json["sessions"]
        return [session["sessionId"] for session in sessions]

    assert names() == ["session-1", "deleted", "ready"]
    assert names("?studioId=s") == ["deleted", "ready"]
    assert names("?studioId=s&state=READY") == ["ready"]
    assert names("?studioId=none") == []


def test_what_is_listed_can_be_added(local: LocalNimble) -> None:
    """A session that was read is one that can be added, in an endpoint of the same kind."""
    local.add_sample_studio()
    sessions = ask(local, "GET", "/sessions").json["sessions"]
    with LocalNimble() as another:
        assert ask(another, "POST", "/sessions", sessions).json["sessions"] == sessions


def test_a_transition(manual: LocalNimble) -> None:
    """A session in transition says what it turns into, and is completed on demand."""
    new = {"studioId": "s", "sessionId": "x", "state": "STOP_IN_PROGRESS"}
    transition = ask(manual, "POST", "/sessions", new).json["transition"]
    assert transition == {
        "state": "STOPPED",
        "statusCode": "STREAMING_SESSION_STOPPED",
        "statusMessage": transition["statusMessage"],
        "due": None,
    }
    completed = ask(manual, "POST", "/sessions/s/x/complete")
    assert (completed.status, completed.json["state"]) == (200, "STOPPED")
    assert "transition" not in completed.json
    again = ask(manual, "POST", "/sessions/s/x/complete")
    assert again.status == 409
    assert "STOPPED" in again.json["message"]


def test_all_transitions(manual: LocalNimble) -> None:
    """All transitions are completed at once, and counted."""
    for name in "ab":
        manual.add_session(studio_id="s", session_id=name, state="STOP_IN_PROGRESS")
    assert ask(manual, "POST", "/sessions/complete").json == {"completed": 2}
    assert manual.sessions["s", "b"].state == "STOPPED"
    assert ask(manual, "POST", "/sessions/complete").json == {"completed": 0}


def test_removing(local: LocalNimble) -> None:
    """A session that was removed has never been there."""
    assert ask(local, "DELETE", "/sessions/studio-1/session-1").status == 204
    assert len(local.sessions) == 0
    assert ask(local, "DELETE", "/sessions/studio-1/session-1").status == 404


@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("DELETE", ""), ("POST", "/complete")])
def test_a_session_that_is_not_there(local: LocalNimble, method: str, rest: str) -> None:
    """The message names the studio and the session."""
    reply = ask(local, method, f"/sessions/studio-1/none{rest}")
    assert reply.status == 404
    assert reply.json["message"] == "Studio 'studio-1' has no session 'none'."


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
        ({"sessions": [{"studioId": "s"}]}, "sessions[0]"),
        ({"faults": [{"fault": "Late"}]}, "faults[0]"),
        ({"clock": {"skippedSeconds": -1}}, "skippedSeconds must be a finite number, 0 or more"),
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


def test_a_fault_happens_and_is_counted(local: LocalNimble) -> None:
    """A fault is listed with its number, how often it happened and how often it may still."""
    fault = {"fault": "ServiceFailure", "code": "ThrottlingException", "times": 2}
    added = ask(local, "POST", "/faults", fault)
    assert added.status == 201
    assert added.json == {"id": added.json["id"], "fired": 0, "left": 2, **fault}
    assert get(local, "studio-1", "session-1").error == "ThrottlingException"
    assert ask(local, "GET", "/faults").json == {"faults": [{**added.json, "fired": 1, "left": 1}]}


def test_several_at_once(local: LocalNimble) -> None:
    """A fault file's list is taken as it is; what has no limit has any number of times left."""
    faults = [
        {"fault": "Latency", "seconds": 0, "session_id": "session-1"},
        {"fault": "StopFails", "operation": "StopStreamingSession"},
    ]
    reply = ask(local, "POST", "/faults", faults)
    assert [fault["left"] for fault in reply.json["faults"]] == [None, None]
    assert ask(local, "GET", "/faults").json == reply.json


def test_all_or_none(local: LocalNimble) -> None:
    """One that is no fault keeps the others out, and is named by its place."""
    reply = ask(local, "POST", "/faults", [{"fault": "ResetAfterChange"}, {"fault": "Latncy"}])
    assert reply.status == 400
    assert reply.json["message"].startswith("[1].fault")
    assert "did you mean 'Latency'?" in reply.json["message"]
    assert local.faults == ()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({}, "fault.fault"),
        ({"fault": "Latency"}, "fault.seconds is missing"),
        ({"fault": "Latency", "seconds": "1"}, "fault.seconds must be"),
        ({"fault": "Latency", "seconds": 1, "time": 1}, "did you mean 'times'?"),
        ({"fault": "Latency", "seconds": 1, "operation": "StopSession"}, "StopStreamingSession"),
        ("Latency", "object"),
    ],
)
def test_a_fault_that_cannot_be(local: LocalNimble, fault: object, message: str) -> None:
    """The message names the key and what is allowed."""
    reply = ask(local, "POST", "/faults", fault)
    assert reply.status == 400
    assert message in reply.json["message"]


def test_removing_faults(local: LocalNimble) -> None:
    """One is removed by its number, or all."""
    first, second, _ = ask(local, "POST", "/faults", [{"fault": "ResetAfterChange"}] * 3).json[
        "faults"
    ]
    assert ask(local, "DELETE", f"/faults/{first['id']}").status == 204
    reply = ask(local, "DELETE", f"/faults/{first['id']}")
    assert reply.status == 404
    assert str(second["id"]) in reply.json["message"]
    assert ask(local, "DELETE", "/faults").status == 204
    assert local.faults == ()
    assert ask(local, "DELETE", "/faults/7").json["message"].endswith("In force: none.")
    assert "whole number" in ask(local, "DELETE", "/faults/first").json["message"]


def test_every_kind_is_documented() -> None:
    """Each kind of fault has a schema, with what its rule takes and what it needs."""
    for kind in kinds_of_faults():
        schema = DOCUMENT["components"]["schemas"][kind.__name__]
        assert {"fault", "times", "skip", "operation"} <= schema["properties"].keys()
        assert schema["description"]
    assert DOCUMENT["components"]["schemas"]["Latency"]["required"] == ["fault", "seconds"]
