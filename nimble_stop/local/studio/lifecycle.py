"""The life of a streaming session, as one table; pure.

Which operation leads from one state to another is said by the table of operations; what each state
says about itself is said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nimble_stop.local.api.operation_table import OPERATIONS, Transition
from nimble_stop.models import StreamingSessionState as State, StreamingSessionStatusCode as Code

if TYPE_CHECKING:
    from collections.abc import Mapping

TRANSITIONS: Final[Mapping[str, Transition]] = {
    operation.name: operation.transition
    for operation in OPERATIONS.values()
    if operation.transition is not None
}
"""The whole life of a session: what each operation that changes one does, by its name."""

_MESSAGES: Final = {
    State.CREATE_IN_PROGRESS: "is being created",
    State.READY: "is ready",
    State.STOP_IN_PROGRESS: "is being stopped",
    State.STOPPED: "is stopped",
    State.START_IN_PROGRESS: "is being started",
    State.DELETE_IN_PROGRESS: "is being deleted",
    State.DELETED: "is deleted",
    State.CREATE_FAILED: "could not be created",
    State.STOP_FAILED: "could not be stopped",
    State.START_FAILED: "could not be started",
    State.DELETE_FAILED: "could not be deleted",
}

STATUS_OF_STATE: Final[Mapping[State, tuple[Code, str]]] = {
    state: (
        Code.INTERNAL_ERROR if "FAILED" in state else Code(f"STREAMING_SESSION_{state}"),
        f"The streaming session {message}.",
    )
    for state, message in _MESSAGES.items()
}
"""The status code and message of each state, unless a failure names others."""

TRANSITION_OF_STATE: Final[Mapping[State, Transition]] = {
    transition.in_progress: transition for transition in TRANSITIONS.values()
}
"""The transition that a session is in, by the state in which it is in one."""
