"""The operations that the endpoint serves: one entry each.

An entry says everything that the endpoint has to know of an operation: its method and path, the
members of its body, and what it does to a session's state. Routes, inputs and the lifecycle are
read from it.

StopStreamingSession's states are the ones that AWS documents; which other states refuse an
operation is this endpoint's judgement, because AWS documents no more than "another operation is in
progress" for ConflictException.
See https://docs.aws.amazon.com/nimble-studio/latest/api/API_Operations.html
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.models import StreamingSessionState as State, VolumeRetentionMode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPERATIONS", "BodyMember", "Operation", "Transition"]

_INSTANCE_TYPES: Final = (
    "g4dn.xlarge", "g4dn.2xlarge", "g4dn.4xlarge", "g4dn.8xlarge", "g4dn.12xlarge",
    "g4dn.16xlarge", "g3.4xlarge", "g3s.xlarge", "g5.xlarge", "g5.2xlarge", "g5.4xlarge",
    "g5.8xlarge", "g5.16xlarge",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class BodyMember:
    """One member of a request's body.

    Args:
        is_map: A map of strings; else a string.
        required: It must be there.
        allowed: The values that it may have.
        maximum_length: How many characters it may have.
        pattern: The regular expression that it must match.
        session_member: The session's member that it sets, where its name is another.
    """

    is_map: bool = False
    required: bool = False
    allowed: tuple[str, ...] = ()
    maximum_length: int | None = None
    pattern: str | None = None
    session_member: str | None = None


@attrs.frozen(kw_only=True)
class Transition:
    """What an operation does to a session's state.

    Args:
        allowed_from: The states in which the operation is accepted; empty for a creation.
        in_progress: The state that the operation answers with.
        done: The state that comes next when it goes well.
        failed: The state that comes next when it fails.
        time_member: The member that keeps when `in_progress` was entered.
        caller_member: The member that keeps who asked for it.
    """

    allowed_from: frozenset[State]
    in_progress: State
    done: State
    failed: State
    time_member: str | None = None
    caller_member: str | None = None


@attrs.frozen(kw_only=True)
class Operation:
    """One operation of the API.

    Args:
        name: Its name.
        method: Its HTTP method.
        on_session: Whether its path names a session, and not only a studio.
        action: The last segment of its path, behind the session.
        body: The members of its body; None when it has no body.
        transition: What it does to a session's state; None when it only reads.
    """

    name: str
    method: str
    on_session: bool
    action: bytes | None = None
    body: Mapping[str, BodyMember] | None = None
    transition: Transition | None = None


_TABLE: Final = (
    Operation(
        name="CreateStreamingSession",
        method="POST",
        on_session=False,
        body={
            "ec2InstanceType": BodyMember(allowed=_INSTANCE_TYPES),
            "launchProfileId": BodyMember(required=True),
            "ownedBy": BodyMember(),
            "streamingImageId": BodyMember(maximum_length=22, pattern="^[a-zA-Z0-9-_]*$"),
            "tags": BodyMember(is_map=True),
        },
        transition=Transition(
            allowed_from=frozenset(),
            in_progress=State.CREATE_IN_PROGRESS,
            done=State.READY,
            failed=State.CREATE_FAILED,
            time_member="createdAt",
            caller_member="createdBy",
        ),
    ),
    Operation(
        name="StopStreamingSession",
        method="POST",
        on_session=True,
        action=b"stop",
        body={"volumeRetentionMode": BodyMember(allowed=tuple(VolumeRetentionMode))},
        transition=Transition(
            allowed_from=frozenset({State.READY}),
            in_progress=State.STOP_IN_PROGRESS,
            done=State.STOPPED,
            failed=State.STOP_FAILED,
            time_member="stoppedAt",
            caller_member="stoppedBy",
        ),
    ),
    Operation(
        name="StartStreamingSession",
        method="POST",
        on_session=True,
        action=b"start",
        body={"backupId": BodyMember(session_member="startedFromBackupId")},
        transition=Transition(
            allowed_from=frozenset({State.STOPPED}),
            in_progress=State.START_IN_PROGRESS,
            done=State.READY,
            failed=State.START_FAILED,
            time_member="startedAt",
            caller_member="startedBy",
        ),
    ),
    Operation(
        name="DeleteStreamingSession",
        method="DELETE",
        on_session=True,
        transition=Transition(
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
    ),
    Operation(name="GetStreamingSession", method="GET", on_session=True),
    Operation(name="ListStreamingSessions", method="GET", on_session=False),
)

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {operation.name: operation for operation in _TABLE}
)
"""The operations that the endpoint serves, by name."""
