"""How a session comes into being, changes and looks on the wire.

This module owns the members of a session: what a new one holds, what each transition writes into
it, and how a stored one is spelled in an answer. It is pure; times and ids are passed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop._api.timestamps import parse_timestamp
from nimble_stop.local.storage.store import Pending, Session
from nimble_stop.local.studio.clock import render_timestamp
from nimble_stop.local.studio.lifecycle import STATUS_CODES, STATUS_MESSAGES, transition_through
from nimble_stop.models import StreamingSessionState as State, StreamingSessionStatusCode as Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop.local.studio.lifecycle import Transition

__all__ = ["Failure", "begin_transition", "new_session", "session_to_wire"]

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


@attrs.frozen
class Failure:
    """How a transition goes wrong.

    Args:
        status_code: The status code of the failed session.
        status_message: Its status message; None for the state's own.
    """

    status_code: str
    status_message: str | None = None


def new_session(
    studio_id: str,
    session_id: str,
    *,
    region_name: str,
    state: str,
    now: float,
    due: float | None,
    caller: str,
    members: Mapping[str, object],
    failure: Failure | None = None,
) -> Session:
    """Make a session.

    Args:
        studio_id: The studio that it belongs to.
        session_id: Its id.
        region_name: The region, for its ARN.
        state: Its state; in a state of transition it is about to leave it.
        now: The sessions' time, in seconds since 1970 UTC.
        due: When it leaves a state of transition; None waits until it is told.
        caller: Who creates it.
        members: Its other members in wire form. They win over the defaults; None leaves one out.
        failure: How a transition ends that does not go well.
    """
    given: dict[str, object] = {
        "arn": f"arn:aws:nimble:{region_name}:{_ACCOUNT}:streaming-session/{session_id}",
        "createdAt": render_timestamp(now),
        "createdBy": caller,
        "statusCode": str(STATUS_CODES.get(State(state), Code.INTERNAL_ERROR)),
        "statusMessage": STATUS_MESSAGES.get(State(state), f"The streaming session is {state}."),
        "updatedBy": caller,
        **_DEFAULT_MEMBERS,
        **members,
    }
    updated_at = given.pop("updatedAt", None)
    transition = transition_through(State(state))
    return Session(
        studio_id=studio_id,
        session_id=session_id,
        state=state,
        status_code=str(given.pop("statusCode")),
        status_message=str(given.pop("statusMessage")),
        updated_at=now if updated_at is None else parse_timestamp(updated_at).timestamp(),
        pending=None if transition is None else _pending(transition, due, failure),
        owned_by=_text_or_none(given.pop("ownedBy", None)),
        created_by=_text_or_none(given.pop("createdBy")),
        members={name: value for name, value in given.items() if value is not None},
    )


def begin_transition(
    session: Session,
    transition: Transition,
    *,
    now: float,
    due: float | None,
    caller: str,
    members: Mapping[str, object],
    failure: Failure | None,
) -> Session:
    """Put a session into the state of transition; the caller has checked that it is allowed.

    Args:
        session: The session as it was.
        transition: What happens to it.
        now: The sessions' time, in seconds since 1970 UTC.
        due: When it leaves that state; None waits until it is told.
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


def session_to_wire(session: Session) -> dict[str, object]:
    """Spell a session as the API does, its members in alphabetical order."""
    wire: dict[str, object] = {
        **session.members,
        "sessionId": session.session_id,
        "state": session.state,
        "statusCode": session.status_code,
        "statusMessage": session.status_message,
        "updatedAt": render_timestamp(session.updated_at),
    }
    if session.owned_by is not None:
        wire["ownedBy"] = session.owned_by
    if session.created_by is not None:
        wire["createdBy"] = session.created_by
    return dict(sorted(wire.items()))


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)
