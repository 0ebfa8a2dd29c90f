"""The members of a session: what a new one holds, what a transition changes, its wire form.

It is pure; times and ids are passed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop._api.timestamps import parse_timestamp
from nimble_stop.local.storage.stored_session import Pending, StoredSession
from nimble_stop.local.studio.clock import render_timestamp
from nimble_stop.local.studio.lifecycle import STATUS_CODES, STATUS_MESSAGES, transition_through
from nimble_stop.models import StreamingSessionState as State, StreamingSessionStatusCode as Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop.local.api.operation_table import Transition

__all__ = [
    "DEFAULTED",
    "Circumstances",
    "Failure",
    "begin_transition",
    "new_session",
    "session_to_wire",
]

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


@attrs.frozen
class Failure:
    """How a transition goes wrong.

    Args:
        status_code: The status code of the failed session.
        status_message: Its status message; None for the state's own.
    """

    status_code: str
    status_message: str | None = None


@attrs.frozen(kw_only=True)
class Circumstances:
    """When, where and by whom a session is made.

    Args:
        region_name: The region, for its ARN.
        now: The sessions' time, in seconds since 1970 UTC.
        due: When it leaves a state of transition; None waits for `LocalNimble.complete`.
        caller: Who creates it.
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
    failure: Failure | None = None,
) -> StoredSession:
    """Make a session.

    Args:
        studio_id: The studio that it belongs to.
        session_id: Its id.
        state: Its state; in a state of transition it is about to leave it.
        members: Its other members in wire form. They win over the defaults; None leaves one out.
        circumstances: When, where and by whom it is made.
        failure: How a transition ends that does not go well.
    """
    arn = f"arn:aws:nimble:{circumstances.region_name}:{_ACCOUNT}:streaming-session/{session_id}"
    given: dict[str, object] = {
        "arn": arn,
        "createdAt": render_timestamp(circumstances.now),
        "createdBy": circumstances.caller,
        "statusCode": str(STATUS_CODES.get(State(state), Code.INTERNAL_ERROR)),
        "statusMessage": STATUS_MESSAGES.get(State(state), f"The streaming session is {state}."),
        "updatedBy": circumstances.caller,
        **_DEFAULT_MEMBERS,
        **members,
    }
    updated_at = given.pop("updatedAt", None)
    transition = transition_through(State(state))
    return StoredSession(
        studio_id=studio_id,
        session_id=session_id,
        state=state,
        status_code=_text(given.pop("statusCode")),
        status_message=_text(given.pop("statusMessage")),
        updated_at=(
            circumstances.now if updated_at is None else parse_timestamp(updated_at).timestamp()
        ),
        pending=None if transition is None else _pending(transition, circumstances.due, failure),
        owned_by=_text(given.pop("ownedBy", None)),
        created_by=_text(given.pop("createdBy")),
        members={name: value for name, value in given.items() if value is not None},
    )


def begin_transition(
    session: StoredSession,
    transition: Transition,
    *,
    now: float,
    due: float | None,
    caller: str,
    members: Mapping[str, object],
    failure: Failure | None,
) -> StoredSession:
    """Move a session into the state of transition; the caller has checked that it is allowed.

    Args:
        session: The session as it was.
        transition: What happens to it.
        now: The sessions' time, in seconds since 1970 UTC.
        due: When it leaves that state; None waits for `LocalNimble.complete`.
        caller: Who asked for it.
        members: Members that the request sets, in wire form.
        failure: How it ends when it does not go well.
    """
    changed: dict[str, object] = {**session.members, **members, "updatedBy": caller}
    if transition.time_member is not None:
        changed[transition.time_member] = render_timestamp(now)
    if transition.caller_member is not None:
        changed[transition.caller_member] = caller
    return attrs.evolve(
        session,
        state=str(transition.in_progress),
        status_code=str(STATUS_CODES[transition.in_progress]),
        status_message=STATUS_MESSAGES[transition.in_progress],
        updated_at=now,
        pending=_pending(transition, due, failure),
        members=changed,
    )


def _pending(transition: Transition, due: float | None, failure: Failure | None) -> Pending:
    if failure is None:
        state = transition.done
        return Pending(
            state=str(state),
            status_code=str(STATUS_CODES[state]),
            status_message=STATUS_MESSAGES[state],
            due=due,
        )
    state = transition.failed
    return Pending(
        state=str(state),
        status_code=failure.status_code,
        status_message=failure.status_message or STATUS_MESSAGES[state],
        due=due,
    )


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
