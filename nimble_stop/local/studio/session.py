"""The members of a session: what a new one holds, what a transition changes, its wire form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop._api.timestamps import parse_timestamp
from nimble_stop.local.storage.tables import Pending, StoredSession
from nimble_stop.local.studio.clock import render_timestamp
from nimble_stop.local.studio.lifecycle import STATUS_OF_STATE, TRANSITION_OF_STATE
from nimble_stop.models import StreamingSessionState as State, StreamingSessionStatusCode as Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop.local.api.operation_table import Transition
    from nimble_stop.local.faults.rules import ChangeFault

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
    region_name, now = circumstances.region_name, circumstances.now
    known_state = State(state)
    code, message = STATUS_OF_STATE.get(
        known_state, (Code.INTERNAL_ERROR, f"The streaming session is {state}.")
    )
    given: dict[str, object] = {
        "arn": f"arn:aws:nimble:{region_name}:{_ACCOUNT}:streaming-session/{session_id}",
        "createdAt": render_timestamp(now),
        "createdBy": circumstances.caller,
        "statusCode": str(code),
        "statusMessage": message,
        "updatedBy": circumstances.caller,
        **_DEFAULT_MEMBERS,
        **members,
    }
    updated_at = given.pop("updatedAt", None)
    transition = TRANSITION_OF_STATE.get(known_state)
    return StoredSession(
        studio_id=studio_id,
        session_id=session_id,
        state=state,
        status_code=_text(given.pop("statusCode")),
        status_message=_text(given.pop("statusMessage")),
        updated_at=now if updated_at is None else parse_timestamp(updated_at).timestamp(),
        owned_by=_text(given.pop("ownedBy", None)),
        created_by=_text(given.pop("createdBy")),
        members={name: value for name, value in given.items() if value is not None},
        pending=None if transition is None else _pending(transition, circumstances.due, failure),
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
    caller, now = circumstances.caller, circumstances.now
    when_and_who = dict(zip(transition.sets, (render_timestamp(now), caller), strict=False))
    code, message = STATUS_OF_STATE[transition.in_progress]
    return attrs.evolve(
        session,
        state=str(transition.in_progress),
        status_code=str(code),
        status_message=message,
        updated_at=now,
        members={**session.members, **members, **when_and_who, "updatedBy": caller},
        pending=_pending(transition, circumstances.due, failure),
    )


def _pending(transition: Transition, due: float | None, failure: ChangeFault | None) -> Pending:
    state = transition.done if failure is None else transition.failed
    code, message = STATUS_OF_STATE[state]
    if failure is None:
        return Pending(str(state), str(code), message, due)
    return Pending(str(state), failure.status_code, failure.status_message or message, due)


def session_to_wire(session: StoredSession) -> dict[str, object]:
    """Write a session as the API does, its members in alphabetical order."""
    wire: dict[str, object] = {
        **session.members,
        "sessionId": session.session_id,
        "state": session.state,
        "statusCode": session.status_code,
        "statusMessage": session.status_message,
        "updatedAt": render_timestamp(session.updated_at),
        "ownedBy": session.owned_by,
        "createdBy": session.created_by,
    }
    return {name: wire[name] for name in sorted(wire) if wire[name] is not None}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
