"""The life of a streaming session: its states, how one is made, what a transition changes; pure.

Which operation leads from one state to another is said by the table of operations; what each state
says about itself is said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop._api.converter import parse_timestamp
from nimble_stop.local.api.operation_table import OPERATIONS, Transition
from nimble_stop.local.storage.clock import render_timestamp
from nimble_stop.local.storage.tables import Pending, StoredSession
from nimble_stop.models import StreamingSessionState as State, StreamingSessionStatusCode as Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop.local.faults.rules import ChangeFault

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

_ACCOUNT: Final = "123456789012"
# What a launch profile says when its creator says nothing (AWS: StreamConfigurationCreate), with
# volumes that persist, because that is what stopping a session is about.
_DEFAULT_MEMBERS: Final[dict[str, object]] = {
    "automaticTerminationMode": "DEACTIVATED",
    "backupMode": "DEACTIVATED",
    "maxBackupsToRetain": 0,
    "sessionPersistenceMode": "ACTIVATED",
    "volumeConfiguration": {"iops": 3000, "size": 500, "throughput": 125},
    "volumeRetentionMode": "RETAIN",
}

DEFAULTED: Final = (
    "arn", "createdAt", "createdBy", "statusCode", "statusMessage", "updatedBy", *_DEFAULT_MEMBERS
)  # fmt: skip
"""The members that a new session has without being given them."""


@attrs.frozen(kw_only=True)
class Circumstances:
    """When, where and by whom a session is made or changed.

    A state of transition is left at ``due``; None waits for `LocalNimble.complete`. Times are the
    sessions', in seconds since 1970 UTC.
    """

    region_name: str
    now: float
    due: float | None
    caller: str


def new_session(
    studio_id: str,
    session_id: str,
    *,
    state: str,
    members: Mapping[str, object],
    circumstances: Circumstances,
    failure: ChangeFault | None = None,
) -> StoredSession:
    """Make a session; in a state of transition it is about to leave it.

    Its other members, in wire form, win over the defaults; None leaves one out.
    """
    region_name, now = circumstances.region_name, render_timestamp(circumstances.now)
    code, message = STATUS_OF_STATE.get(
        State(state), (Code.INTERNAL_ERROR, f"The streaming session is {state}.")
    )
    updated_at = parse_timestamp(members.get("updatedAt") or now)
    transition = next((each for each in TRANSITIONS.values() if each.in_progress == state), None)
    return StoredSession(
        studio_id,
        {
            "arn": f"arn:aws:nimble:{region_name}:{_ACCOUNT}:streaming-session/{session_id}",
            "createdAt": now,
            "createdBy": circumstances.caller,
            "statusCode": str(code),
            "statusMessage": message,
            "updatedBy": circumstances.caller,
            **_DEFAULT_MEMBERS,
            **members,
            "sessionId": session_id,
            "state": state,
            "updatedAt": render_timestamp(updated_at.timestamp()),
        },
        None if transition is None else _pending(transition, circumstances.due, failure),
    )


def begin_transition(
    session: StoredSession,
    transition: Transition,
    *,
    members: Mapping[str, object],
    circumstances: Circumstances,
    failure: ChangeFault | None = None,
) -> StoredSession:
    """Move a session into the state of transition; the caller has checked that it is allowed."""
    caller, now = circumstances.caller, render_timestamp(circumstances.now)
    code, message = STATUS_OF_STATE[transition.in_progress]
    return attrs.evolve(
        session,
        members={
            **session.members,
            **members,
            **dict(zip(transition.sets, (now, caller), strict=False)),
            "state": str(transition.in_progress),
            "statusCode": str(code),
            "statusMessage": message,
            "updatedAt": now,
            "updatedBy": caller,
        },
        pending=_pending(transition, circumstances.due, failure),
    )


def _pending(transition: Transition, due: float | None, failure: ChangeFault | None) -> Pending:
    state = transition.done if failure is None else transition.failed
    code, message = STATUS_OF_STATE[state]
    if failure is None:
        return Pending(str(state), str(code), message, due)
    return Pending(str(state), failure.status_code, failure.status_message or message, due)
