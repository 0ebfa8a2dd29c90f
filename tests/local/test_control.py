from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import FaultRule, Latency, LocalNimble, ServiceFailure
from tests.local.support import get, stop


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
    """Rules are put into force and taken out again, and count how often they happened."""
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


def test_what_has_no_value(local: LocalNimble) -> None:
    """None leaves a member out, also one that has a default."""
    added = local.add_session(
        studio_id="s", session_id="x", status_code=None, status_message=None, arn=None
    )
    assert (added.status_code, added.status_message, added.arn) == (None, None, None)
    stop(local, "s", "x")
    assert local.sessions["s", "x"].status_code == "STREAMING_SESSION_STOPPED"


def test_sessions_can_be_removed(local: LocalNimble) -> None:
    """A removed session is found by nobody, and its id can be used again."""
    local.remove_session("studio-1", "session-1")
    assert get(local, "studio-1", "session-1").status == 404
    with pytest.raises(ValueError, match="no session 'session-1' in studio 'studio-1'"):
        local.remove_session("studio-1", "session-1")
    local.add_session(studio_id="studio-1", session_id="session-1")


def test_time_ends() -> None:
    """Beyond the year 9999 no time can be written, so it is not reached."""
    with LocalNimble() as local:
        local.add_session(studio_id="s", session_id="x")
        with pytest.raises(ValueError, match="beyond the year 9999"):
            local.advance(1e12)
        assert local.skipped_seconds == 0
        assert stop(local, "s", "x").status == 200


def test_one_fault_can_be_removed(local: LocalNimble) -> None:
    """The others stay in force, in their order."""
    first, second = local.inject(Latency(0)), local.inject(ServiceFailure())
    assert local.faults == (first, second)
    local.remove_fault(first.id)
    assert list(local.faults) == [second]
    with pytest.raises(ValueError, match=f"no fault with the id {first.id}"):
        local.remove_fault(first.id)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ServiceFailure, "not the class ServiceFailure; make one of it: ServiceFailure(...)"),
        ("ThrottlingException", "write ServiceFailure('ThrottlingException')"),
        ("ServiceFailur", "did you mean 'ServiceFailure'?"),
        (None, "not None"),
    ],
)
def test_what_is_no_fault(local: LocalNimble, fault: Any, said: str) -> None:  # noqa: ANN401  # what a user may pass
    """What cannot be injected is one line that says what can, with an example."""
    with pytest.raises(
        TypeError, match=r"^fault must be a fault such as Latency\(1\.5\)"
    ) as caught:
        local.inject(fault)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 150


def events(local: LocalNimble) -> list[tuple[str, Any]]:
    """Read all events that were published."""
    return [(event.kind, event.data) for event in local.events.after(0) or []]


def test_an_exported_state_can_be_imported() -> None:
    """Another endpoint goes on with sessions, transitions, clock and faults, through JSON."""
    with LocalNimble(transition_seconds=60) as first, LocalNimble() as second:
        first.add_sample_studio()
        first.add_session(studio_id="s/1", session_id="x y", status_message=None, created_by=None)
        first.add_session(studio_id="s/1", session_id="z")
        stop(first, "s/1", "z")
        first.advance(30)
        first.inject(Latency(0.01), times=3, skip=1)
        first.inject(ServiceFailure(), times=1, session_id="z")
        for _ in range(3):
            get(first, "s/1", "z")
        document = json.loads(json.dumps(first.export()))
        second.add_session(studio_id="s/1", session_id="gone")
        second.import_(document)
        assert second.export() == document
        assert [dict(rule) for rule in document["faults"]] == [
            {"fault": "Latency", "seconds": 0.01, "times": 1}
        ]
        assert second.skipped_seconds == 30
        assert dict(second.sessions) == dict(first.sessions)
        assert second.sessions["s/1", "x y"].status_message is None
        second.advance(60)
        assert second.sessions["s/1", "z"].state == "STOPPED"


def test_client_tokens_are_no_part_of_a_state(local: LocalNimble) -> None:
    """After an import a token can be used anew, and the journal is still there."""
    stop(local, "studio-1", "session-1", token="t")
    local.import_({"sessions": [{"studioId": "studio-1", "sessionId": "session-1"}]})
    assert stop(local, "studio-1", "session-1", token="t").status == 200
    local.requests.assert_applied(2, operation="StopStreamingSession")


def test_what_a_document_does_not_hold_is_empty(local: LocalNimble) -> None:
    """An empty document is an empty state."""
    local.inject(Latency(1))
    local.advance(5)
    local.import_({})
    assert local.export() == {
        "schemaVersion": 1,
        "clock": {"skippedSeconds": 0.0},
        "sessions": [],
        "faults": [],
    }


SESSION = {"studioId": "s", "sessionId": "x"}


MISTAKES: list[tuple[object, str]] = [
    ([], "the document must be an object"),
    ({"session": []}, "no member 'session'.*did you mean 'sessions'"),
    ({"schemaVersion": 2}, "schemaVersion must be 1, not 2"),
    ({"clock": 5}, "clock must be an object"),
    ({"clock": {"skippedSeconds": -1}}, "skipped_seconds must be a finite number"),
    ({"sessions": {}}, "sessions must be a list"),
    ({"sessions": [5]}, r"sessions\[0\]: a session must be an object"),
    ({"sessions": [SESSION, SESSION]}, r"sessions\[1\]: studio 's' has a session 'x' already"),
    ({"sessions": [{"studioId": "s"}]}, r"sessions\[0\]: sessionId is missing"),
    ({"sessions": [{**SESSION, "state": "REDY"}]}, "state must be one of"),
    ({"sessions": [{**SESSION, "ownedBye": "me"}]}, "no member 'ownedBye'.*'ownedBy'"),
    ({"sessions": [{**SESSION, "transition": {}}]}, "does not go with the state READY"),
    (
        {"sessions": [{**SESSION, "state": "STOP_IN_PROGRESS", "transition": {"due": 1}}]},
        "transition must have state, statusCode, statusMessage",
    ),
    ({"faults": [{"fault": "Slow"}]}, r"faults\[0\]\.fault must be one of"),
]


@pytest.mark.parametrize(("document", "said"), MISTAKES)
def test_a_wrong_document_changes_nothing(local: LocalNimble, document: Any, said: str) -> None:  # noqa: ANN401  # what a user may pass
    """The error says where, and the state is what it was."""
    local.inject(Latency(0))
    before = local.export()
    with pytest.raises((TypeError, ValueError, ConfigurationError), match=said):
        local.import_(document)
    assert local.export() == before


def test_everything_that_changes_is_published(local: LocalNimble) -> None:
    """Sessions, requests, faults, the clock and a reset, in their order."""
    rule = local.inject(Latency(0))
    stop(local, "studio-1", "session-1")
    local.advance(5)
    local.remove_session("studio-1", "session-1")
    local.clear_faults()
    local.reset()
    published = events(local)
    kinds = [kind for kind, _ in published]
    assert kinds == [
        "sessions", "faults", "sessions", "request", "faults", "sessions", "clock", "sessions",
        "faults", "sessions", "cleared", "reset",
    ]  # fmt: skip
    data = [data for _, data in published]
    sessions = [data["sessions"] for kind, data in published if kind == "sessions"]
    assert [each and each[0]["state"] for each in sessions] == [
        "READY", "STOP_IN_PROGRESS", "STOPPED", None, None,
    ]  # fmt: skip
    names = {"studioId": "studio-1", "sessionId": "session-1"}
    assert sessions[3] == [{**names, "state": None}]
    assert sessions[0][0].items() >= {**names, "volumeRetentionMode": "RETAIN"}.items()
    assert data[3]["operation"] == "StopStreamingSession"
    assert data[6]["skippedSeconds"] == 5
    assert data[-3:] == [{"sessions": None}, {}, {}]
    assert rule.fired == 1


def test_faults_in_force_are_published() -> None:
    """A reader sees all rules, each with its number and how often it happened."""
    with LocalNimble() as local:
        rule = local.inject(Latency(1), operation="GetStreamingSession")
        ((_, data),) = events(local)
        assert data == {
            "faults": [
                {
                    "id": rule.id,
                    "fired": 0,
                    "left": None,
                    "fault": "Latency",
                    "seconds": 1,
                    "operation": "GetStreamingSession",
                }
            ]
        }


def test_many_changes_at_once_are_one_event(local: LocalNimble) -> None:
    """A change of hundreds of sessions asks the reader to read all again."""
    for number in range(101):
        local.add_session(studio_id="s", session_id=f"x{number}", state="STOP_IN_PROGRESS")
    last = local.events.last_id
    local.complete_all()
    (event,) = local.events.after(last) or []
    assert (event.kind, event.data) == ("sessions", {"sessions": None})


def test_a_rule_keeps_counting_where_it_is(local: LocalNimble) -> None:
    """Exporting takes copies: the rules in force are the ones that were injected."""
    rule = FaultRule(Latency(0), times=5)
    local.inject_rules([rule])
    local.export()
    get(local, "studio-1", "session-1")
    assert rule.fired == 1
    assert local.faults == (rule,)
