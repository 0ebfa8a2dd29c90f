from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

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
