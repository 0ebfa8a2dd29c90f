"""The life of a streaming session, as one table.

This module owns the rule which operation is allowed in which state and where it leads. It is pure:
no clock, no store. Whoever wants to know or to draw what the endpoint does reads `TRANSITIONS`.

StopStreamingSession's states are the ones that AWS documents; which other states refuse an
operation is this endpoint's judgement, because AWS documents no more than "another operation is in
progress" for ConflictException.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.models import StreamingSessionState as State, StreamingSessionStatusCode as Code

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STATUS_CODES", "STATUS_MESSAGES", "TRANSITIONS", "Transition", "transition_through"]


@attrs.frozen(kw_only=True)
class Transition:
    """What one operation does to a session's state.

    Args:
        operation: The API operation that begins it.
        allowed_from: The states in which the operation is accepted; empty for a creation.
        in_progress: The state that the operation answers with.
        done: The state that follows when it goes well.
        failed: The state that follows when it fails.
        time_member: The member that keeps when `in_progress` was entered.
        caller_member: The member that keeps who asked for it.
    """

    operation: str
    allowed_from: frozenset[State]
    in_progress: State
    done: State
    failed: State
    time_member: str | None = None
    caller_member: str | None = None


TRANSITIONS: Final[Mapping[str, Transition]] = MappingProxyType(
    {
        transition.operation: transition
        for transition in (
            Transition(
                operation="CreateStreamingSession",
                allowed_from=frozenset(),
                in_progress=State.CREATE_IN_PROGRESS,
                done=State.READY,
                failed=State.CREATE_FAILED,
                time_member="createdAt",
                caller_member="createdBy",
            ),
            Transition(
                operation="StopStreamingSession",
                allowed_from=frozenset({State.READY}),
                in_progress=State.STOP_IN_PROGRESS,
                done=State.STOPPED,
                failed=State.STOP_FAILED,
                time_member="stoppedAt",
                caller_member="stoppedBy",
            ),
            Transition(
                operation="StartStreamingSession",
                allowed_from=frozenset({State.STOPPED}),
                in_progress=State.START_IN_PROGRESS,
                done=State.READY,
                failed=State.START_FAILED,
                time_member="startedAt",
                caller_member="startedBy",
            ),
            Transition(
                operation="DeleteStreamingSession",
                allowed_from=frozenset(
                    {
                        State.READY,
                        State.STOPPED,
                        State.CREATE_FAILED,
                        State.STOP_FAILED,
                        State.START_FAILED,
                        State.DELETE_FAILED,
                    }
                ),
                in_progress=State.DELETE_IN_PROGRESS,
                done=State.DELETED,
                failed=State.DELETE_FAILED,
            ),
        )
    }
)
"""The whole life of a session: each operation that changes one, by its name."""

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
