from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from nimble_stop.local import StopFails
from nimble_stop.local.studio.lifecycle import (
    STATUS_OF_STATE,
    TRANSITIONS,
    Circumstances,
    begin_transition,
    new_session,
)
from nimble_stop.models import StreamingSessionState as State, StreamingSessionStatusCode as Code

if TYPE_CHECKING:
    from nimble_stop.local.storage.tables import StoredSession

CIRCUMSTANCES = Circumstances(region_name="us-west-2", now=0, due=0, caller="AKID")


def ready(**members: object) -> StoredSession:
    """Make a session that is ready."""
    return new_session(
        "studio-1", "session-1", state="READY", members=members, circumstances=CIRCUMSTANCES
    )


def stopping(failure: StopFails | None = None, **members: object) -> StoredSession:
    """Make a session that is being stopped."""
    return begin_transition(
        ready(),
        TRANSITIONS["StopStreamingSession"],
        members=members,
        circumstances=attrs.evolve(CIRCUMSTANCES, now=60.9, due=61, caller="OTHER"),
        failure=failure,
    )


def test_a_new_session_has_what_a_launch_profile_gives_it() -> None:
    """Its members are those that AWS's defaults give it, in alphabetical order."""
    wire = ready().members
    assert wire["arn"] == "arn:aws:nimble:us-west-2:123456789012:streaming-session/session-1"
    assert (wire["createdAt"], wire["createdBy"]) == ("1970-01-01T00:00:00Z", "AKID")
    assert (wire["updatedAt"], wire["updatedBy"]) == ("1970-01-01T00:00:00Z", "AKID")
    assert (wire["state"], wire["statusCode"]) == ("READY", "STREAMING_SESSION_READY")
    assert wire["volumeRetentionMode"] == "RETAIN"
    assert wire["volumeConfiguration"] == {"iops": 3000, "size": 500, "throughput": 125}
    assert wire["maxBackupsToRetain"] == 0
    assert "ownedBy" not in wire
    assert list(wire) == sorted(wire)


def test_given_members_win_over_the_defaults() -> None:
    """What is given is kept, and None leaves a member out."""
    wire = ready(
        updatedAt="2026-01-02T03:04:05.6Z",
        ownedBy="me",
        createdBy=None,
        statusMessage="Fine.",
        volumeConfiguration=None,
    ).members
    assert (
        not {"statusCode", "statusMessage"}
        & ready(statusCode=None, statusMessage=None).members.keys()
    )
    assert (wire["updatedAt"], wire["ownedBy"]) == ("2026-01-02T03:04:05Z", "me")
    assert wire["statusMessage"] == "Fine."
    assert not {"createdBy", "volumeConfiguration"} & wire.keys()


def test_a_stop_notes_who_and_when() -> None:
    """A stop keeps when it entered STOP_IN_PROGRESS and who asked for it."""
    wire = stopping(volumeRetentionMode="DELETE").members
    assert (wire["stoppedAt"], wire["stoppedBy"]) == ("1970-01-01T00:01:00Z", "OTHER")
    assert (wire["updatedAt"], wire["updatedBy"]) == ("1970-01-01T00:01:00Z", "OTHER")
    assert (wire["state"], wire["statusCode"]) == (
        "STOP_IN_PROGRESS",
        "STREAMING_SESSION_STOP_IN_PROGRESS",
    )
    assert wire["volumeRetentionMode"] == "DELETE"


def test_a_deletion_has_no_time_of_its_own() -> None:
    """The API has no deletedAt; only updatedAt shows it."""
    deleting = begin_transition(
        ready(),
        TRANSITIONS["DeleteStreamingSession"],
        members={},
        circumstances=attrs.evolve(CIRCUMSTANCES, now=60, due=None),
    )
    assert deleting.members["updatedAt"] == "1970-01-01T00:01:00Z"
    assert deleting.pending is not None
    assert deleting.pending.due is None


def test_what_follows_a_transition() -> None:
    """A stop is followed by STOPPED, or by STOP_FAILED with the failure's own words."""
    going_well = stopping().pending
    assert going_well is not None
    assert (going_well.state, going_well.due) == ("STOPPED", 61)
    failing = stopping(StopFails("NETWORK_CONNECTION_ERROR", "No route.")).pending
    assert failing is not None
    assert (failing.state, failing.status_code) == ("STOP_FAILED", "NETWORK_CONNECTION_ERROR")
    assert failing.status_message == "No route."
    unexplained = stopping(StopFails("INTERNAL_ERROR")).pending
    assert unexplained is not None
    assert unexplained.status_message == "The streaming session could not be stopped."


def test_an_unknown_state_is_kept() -> None:
    """A state that AWS does not have yet can be shown to clients."""
    session = new_session("s", "x", state="HIBERNATED", members={}, circumstances=CIRCUMSTANCES)
    wire = session.members
    assert (wire["state"], wire["statusCode"]) == ("HIBERNATED", "INTERNAL_ERROR")
    assert session.pending is None


def test_stop_is_as_aws_documents_it() -> None:
    """A stop leads from READY through STOP_IN_PROGRESS to STOPPED or STOP_FAILED."""
    stop = TRANSITIONS["StopStreamingSession"]
    assert stop.allowed_from == {State.READY}
    assert (stop.in_progress, stop.done, stop.failed) == (
        State.STOP_IN_PROGRESS,
        State.STOPPED,
        State.STOP_FAILED,
    )
    assert stop.sets == ("stoppedAt", "stoppedBy")


def test_no_operation_begins_in_a_state_of_transition() -> None:
    """While one operation is in progress, no other is accepted."""
    passing = {transition.in_progress for transition in TRANSITIONS.values()}
    for transition in TRANSITIONS.values():
        assert not transition.allowed_from & passing


def test_every_state_is_in_the_table_and_has_a_status() -> None:
    """The tables cover exactly AWS's states, with AWS's status codes."""
    reached = {
        state
        for transition in TRANSITIONS.values()
        for state in (transition.in_progress, transition.done, transition.failed)
    }
    assert reached == set(State) == set(STATUS_OF_STATE)
    assert {code for code, _ in STATUS_OF_STATE.values()} <= set(Code)


def test_a_state_of_transition_belongs_to_one_transition() -> None:
    """What a session is in the middle of can be said from its state."""
    states = {transition.in_progress for transition in TRANSITIONS.values()}
    assert len(states) == len(TRANSITIONS)
