from __future__ import annotations

from nimble_stop.local.studio.lifecycle import (
    STATUS_OF_STATE,
    TRANSITION_OF_STATE,
    TRANSITIONS,
)
from nimble_stop.models import StreamingSessionState as State, StreamingSessionStatusCode as Code


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
    assert TRANSITION_OF_STATE[State.STOP_IN_PROGRESS] is TRANSITIONS["StopStreamingSession"]
    assert len(TRANSITION_OF_STATE) == len(TRANSITIONS)
