from __future__ import annotations

from nimble_stop.local.studio.lifecycle import (
    STATUS_CODES,
    STATUS_MESSAGES,
    TRANSITIONS,
    transition_through,
)
from nimble_stop.models import StreamingSessionState as State


def test_stop_is_as_aws_documents_it() -> None:
    """A stop leads from READY through STOP_IN_PROGRESS to STOPPED or STOP_FAILED."""
    stop = TRANSITIONS["StopStreamingSession"]
    assert stop.allowed_from == {State.READY}
    assert (stop.in_progress, stop.done, stop.failed) == (
        State.STOP_IN_PROGRESS,
        State.STOPPED,
        State.STOP_FAILED,
    )
    assert (stop.time_member, stop.caller_member) == ("stoppedAt", "stoppedBy")


def test_no_operation_begins_in_a_state_of_transition() -> None:
    """While one operation is in progress, no other is accepted."""
    passing = {transition.in_progress for transition in TRANSITIONS.values()}
    for transition in TRANSITIONS.values():
        assert not transition.allowed_from & passing


def test_every_state_is_in_the_table_and_has_a_status() -> None:
    """The table, the status codes and the messages cover exactly AWS's states."""
    reached = {
        state
        for transition in TRANSITIONS.values()
        for state in (transition.in_progress, transition.done, transition.failed)
    }
    assert reached == set(State) == set(STATUS_CODES) == set(STATUS_MESSAGES)


def test_transition_through() -> None:
    """A state of transition belongs to one transition; a state that lasts to none."""
    assert transition_through(State.STOP_IN_PROGRESS) is TRANSITIONS["StopStreamingSession"]
    assert transition_through(State.READY) is None
