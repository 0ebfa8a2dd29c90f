"""The life of a streaming session, as one table.

This module owns the states: which operation leads from one to another, as the table of operations
says, and what each state says about itself. It is pure: no clock, no store.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from nimble_stop.local.api.operation_table import OPERATIONS, Transition
from nimble_stop.models import StreamingSessionState as State, StreamingSessionStatusCode as Code

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STATUS_CODES", "STATUS_MESSAGES", "TRANSITIONS", "transition_through"]

TRANSITIONS: Final[Mapping[str, Transition]] = MappingProxyType(
    {
        operation.name: operation.transition
        for operation in OPERATIONS.values()
        if operation.transition is not None
    }
)
"""The whole life of a session: what each operation that changes one does, by its name."""

STATUS_CODES: Final[Mapping[State, Code]] = MappingProxyType(
    {
        State.CREATE_IN_PROGRESS: Code.STREAMING_SESSION_CREATE_IN_PROGRESS,
        State.READY: Code.STREAMING_SESSION_READY,
        State.STOP_IN_PROGRESS: Code.STREAMING_SESSION_STOP_IN_PROGRESS,
        State.STOPPED: Code.STREAMING_SESSION_STOPPED,
        State.START_IN_PROGRESS: Code.STREAMING_SESSION_START_IN_PROGRESS,
        State.DELETE_IN_PROGRESS: Code.STREAMING_SESSION_DELETE_IN_PROGRESS,
        State.DELETED: Code.STREAMING_SESSION_DELETED,
        State.CREATE_FAILED: Code.INTERNAL_ERROR,
        State.STOP_FAILED: Code.INTERNAL_ERROR,
        State.START_FAILED: Code.INTERNAL_ERROR,
        State.DELETE_FAILED: Code.INTERNAL_ERROR,
    }
)
"""The status code of each state, unless a failure names another."""

STATUS_MESSAGES: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.CREATE_IN_PROGRESS: "The streaming session is being created.",
        State.READY: "The streaming session is ready.",
        State.STOP_IN_PROGRESS: "The streaming session is being stopped.",
        State.STOPPED: "The streaming session is stopped.",
        State.START_IN_PROGRESS: "The streaming session is being started.",
        State.DELETE_IN_PROGRESS: "The streaming session is being deleted.",
        State.DELETED: "The streaming session is deleted.",
        State.CREATE_FAILED: "The streaming session could not be created.",
        State.STOP_FAILED: "The streaming session could not be stopped.",
        State.START_FAILED: "The streaming session could not be started.",
        State.DELETE_FAILED: "The streaming session could not be deleted.",
    }
)
"""The status message of each state, unless a failure names another."""

_BY_STATE_IN_PROGRESS: Final = {
    transition.in_progress: transition for transition in TRANSITIONS.values()
}


def transition_through(state: State) -> Transition | None:
    """Find the transition that a session in this state is in the middle of.

    Returns:
        The transition, or None when the state is one that a session stays in.
    """
    return _BY_STATE_IN_PROGRESS.get(state)
