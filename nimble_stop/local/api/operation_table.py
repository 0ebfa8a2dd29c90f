"""The operations that the endpoint serves: one entry each, from which all else is read.

StopStreamingSession's states are the ones that AWS documents; which other states refuse an
operation is this endpoint's judgement, because AWS documents no more than "another operation is in
progress" for ConflictException.
See https://docs.aws.amazon.com/nimble-studio/latest/api/API_Operations.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.models import StreamingSessionState as State, VolumeRetentionMode

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTANCE_TYPES: Final = (
    "g4dn.xlarge", "g4dn.2xlarge", "g4dn.4xlarge", "g4dn.8xlarge", "g4dn.12xlarge",
    "g4dn.16xlarge", "g3.4xlarge", "g3s.xlarge", "g5.xlarge", "g5.2xlarge", "g5.4xlarge",
    "g5.8xlarge", "g5.16xlarge",
)  # fmt: skip
# The states that a session leaves by an operation alone.
_LASTING: Final = frozenset(state for state in State if not state.endswith("_IN_PROGRESS"))


@attrs.frozen(kw_only=True)
class BodyMember:
    """One member of a request's body, and what its value must be.

    Args:
        is_map: A map of strings; else a string.
        maximum_length: How many characters it may have.
        pattern: A regular expression that the whole value must match.
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
        sets: The members that keep when `in_progress` was entered, and by whom.
    """

    allowed_from: frozenset[State]
    in_progress: State
    done: State
    failed: State
    sets: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Operation:
    """One operation of the API.

    Args:
        action: What follows on a session's id in its path; None if the path names no session.
        body: The members of its body; None when it has no body.
        transition: What it does to a session's state; None when it only reads.
    """

    name: str
    method: str
    action: bytes | None = None
    body: Mapping[str, BodyMember] | None = None
    transition: Transition | None = None


_TABLE: Final = (
    Operation(
        name="CreateStreamingSession",
        method="POST",
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
            sets=("createdAt", "createdBy"),
        ),
    ),
    Operation(
        name="StopStreamingSession",
        method="POST",
        action=b"/stop",
        body={"volumeRetentionMode": BodyMember(allowed=tuple(VolumeRetentionMode))},
        transition=Transition(
            allowed_from=frozenset({State.READY}),
            in_progress=State.STOP_IN_PROGRESS,
            done=State.STOPPED,
            failed=State.STOP_FAILED,
            sets=("stoppedAt", "stoppedBy"),
        ),
    ),
    Operation(
        name="StartStreamingSession",
        method="POST",
        action=b"/start",
        body={"backupId": BodyMember(session_member="startedFromBackupId")},
        transition=Transition(
            allowed_from=frozenset({State.STOPPED}),
            in_progress=State.START_IN_PROGRESS,
            done=State.READY,
            failed=State.START_FAILED,
            sets=("startedAt", "startedBy"),
        ),
    ),
    Operation(
        name="DeleteStreamingSession",
        method="DELETE",
        action=b"",
        transition=Transition(
            allowed_from=_LASTING - {State.DELETED},
            in_progress=State.DELETE_IN_PROGRESS,
            done=State.DELETED,
            failed=State.DELETE_FAILED,
        ),
    ),
    Operation(name="GetStreamingSession", method="GET", action=b""),
    Operation(name="ListStreamingSessions", method="GET"),
)

OPERATIONS: Final[Mapping[str, Operation]] = {operation.name: operation for operation in _TABLE}
"""The operations that the endpoint serves, by name."""
