"""What the service answers with, as frozen values.

The names are the API's own, in snake_case; the `StreamingSession`_ page of the AWS reference
describes each of them. A new member is one attribute here: its name on the wire follows from its
name, and how it is read from its type.

.. _StreamingSession:
   https://docs.aws.amazon.com/nimble-studio/latest/api/API_StreamingSession.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self, cast

import attrs

__all__ = [
    "AutomaticTerminationMode",
    "SessionBackupMode",
    "SessionPersistenceMode",
    "StreamingSession",
    "StreamingSessionState",
    "StreamingSessionStatusCode",
    "VolumeConfiguration",
    "VolumeRetentionMode",
]


class _OpenEnum(StrEnum):
    """An enumeration that keeps values it does not know.

    A value that the service adds later becomes a member of its own: it prints as it came, equals
    its string, and works in ``match``.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member

    def __reduce_ex__(self, protocol: object) -> tuple[type[Self], tuple[str]]:
        """Copy and pickle by value; before Python 3.11.4 enumerations do so by name."""
        del protocol
        return type(self), (str(self.value),)


class VolumeRetentionMode(_OpenEnum):
    """What happens to a session's EBS volumes when it stops."""

    RETAIN = "RETAIN"
    DELETE = "DELETE"


class AutomaticTerminationMode(_OpenEnum):
    """Whether a session that ran out of time is terminated automatically."""

    DEACTIVATED = "DEACTIVATED"
    ACTIVATED = "ACTIVATED"


class SessionBackupMode(_OpenEnum):
    """Whether a session's volumes are backed up automatically."""

    AUTOMATIC = "AUTOMATIC"
    DEACTIVATED = "DEACTIVATED"


class SessionPersistenceMode(_OpenEnum):
    """Whether a session's volumes persist when it is stopped and started."""

    DEACTIVATED = "DEACTIVATED"
    ACTIVATED = "ACTIVATED"


class StreamingSessionState(_OpenEnum):
    """Where a session is in its life."""

    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    READY = "READY"
    DELETED = "DELETED"
    CREATE_FAILED = "CREATE_FAILED"
    DELETE_FAILED = "DELETE_FAILED"
    STOP_IN_PROGRESS = "STOP_IN_PROGRESS"
    START_IN_PROGRESS = "START_IN_PROGRESS"
    STOPPED = "STOPPED"
    STOP_FAILED = "STOP_FAILED"
    START_FAILED = "START_FAILED"


class StreamingSessionStatusCode(_OpenEnum):
    """Why a session is in its state."""

    STREAMING_SESSION_READY = "STREAMING_SESSION_READY"
    STREAMING_SESSION_DELETED = "STREAMING_SESSION_DELETED"
    STREAMING_SESSION_CREATE_IN_PROGRESS = "STREAMING_SESSION_CREATE_IN_PROGRESS"
    STREAMING_SESSION_DELETE_IN_PROGRESS = "STREAMING_SESSION_DELETE_IN_PROGRESS"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INSUFFICIENT_CAPACITY = "INSUFFICIENT_CAPACITY"
    ACTIVE_DIRECTORY_DOMAIN_JOIN_ERROR = "ACTIVE_DIRECTORY_DOMAIN_JOIN_ERROR"
    NETWORK_CONNECTION_ERROR = "NETWORK_CONNECTION_ERROR"
    INITIALIZATION_SCRIPT_ERROR = "INITIALIZATION_SCRIPT_ERROR"
    DECRYPT_STREAMING_IMAGE_ERROR = "DECRYPT_STREAMING_IMAGE_ERROR"
    NETWORK_INTERFACE_ERROR = "NETWORK_INTERFACE_ERROR"
    STREAMING_SESSION_STOPPED = "STREAMING_SESSION_STOPPED"
    STREAMING_SESSION_STARTED = "STREAMING_SESSION_STARTED"
    STREAMING_SESSION_STOP_IN_PROGRESS = "STREAMING_SESSION_STOP_IN_PROGRESS"
    STREAMING_SESSION_START_IN_PROGRESS = "STREAMING_SESSION_START_IN_PROGRESS"
    AMI_VALIDATION_ERROR = "AMI_VALIDATION_ERROR"


@attrs.frozen(kw_only=True)
class VolumeConfiguration:
    """The EBS volume that a session's data lives on.

    Args:
        iops: Input and output operations a second, 3000 to 16000.
        size: Size in GiB, 100 to 16000.
        throughput: Throughput in MiB a second, 125 to 1000.
    """

    iops: int | None = None
    size: int | None = None
    throughput: int | None = None


def member_name(attribute: str) -> str:
    """Give the name that the API has for an attribute: ``session_id`` is ``sessionId``."""
    first, *rest = attribute.split("_")
    return first + "".join(map(str.capitalize, rest))


def format_timestamp(moment: datetime) -> str:
    """Give a time as the API spells it: RFC 3339 in UTC, a fraction only when there is one."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def _copied(tags: Mapping[str, str] | None) -> Mapping[str, str] | None:
    return None if tags is None else dict(tags)


def _members(model: attrs.AttrsInstance) -> dict[str, Any]:
    """Give the members that the service sent."""
    members = {field.name: getattr(model, field.name) for field in attrs.fields(type(model))}
    return {name: value for name, value in members.items() if value is not None}


def _to_wire(value: object) -> object:
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, _OpenEnum):
        return str(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, str]", value))
    if isinstance(value, VolumeConfiguration | StreamingSession):
        return {member_name(name): _to_wire(each) for name, each in _members(value).items()}
    return value


@attrs.frozen(kw_only=True)
class StreamingSession:
    """A virtual workstation, as the service described it in one answer.

    Every member is optional in the API; one that the service did not send is ``None``. All times
    are aware UTC datetimes. See the `StreamingSession`_ page of the AWS reference.

    Args:
        arn: The session's Amazon Resource Name.
        automatic_termination_mode: Whether it is terminated automatically when its time is up.
        backup_mode: Whether its volumes are backed up automatically.
        created_at: When it was created.
        created_by: Who created it.
        ec2_instance_type: The EC2 instance type it runs on.
        launch_profile_id: The launch profile that it was created from.
        max_backups_to_retain: How many backups are kept, 0 to 10.
        owned_by: Who owns it.
        session_id: Its id.
        session_persistence_mode: Whether its volumes persist over a stop.
        started_at: When it entered ``START_IN_PROGRESS``.
        started_by: Who started it.
        started_from_backup_id: The backup that it was started from.
        state: Where it is in its life.
        status_code: Why it is in that state.
        status_message: The same in a sentence.
        stop_at: When it will be stopped automatically.
        stopped_at: When it entered ``STOP_IN_PROGRESS``.
        stopped_by: Who stopped it.
        streaming_image_id: The image that it runs.
        tags: Its tags.
        terminate_at: When it will be terminated automatically.
        updated_at: When it was last changed.
        updated_by: Who changed it last.
        volume_configuration: The volume that its data lives on.
        volume_retention_mode: Whether its volumes are kept when it stops.

    .. _StreamingSession:
       https://docs.aws.amazon.com/nimble-studio/latest/api/API_StreamingSession.html
    """

    arn: str | None = None
    automatic_termination_mode: AutomaticTerminationMode | None = None
    backup_mode: SessionBackupMode | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    ec2_instance_type: str | None = None
    launch_profile_id: str | None = None
    max_backups_to_retain: int | None = None
    owned_by: str | None = None
    session_id: str | None = None
    session_persistence_mode: SessionPersistenceMode | None = None
    started_at: datetime | None = None
    started_by: str | None = None
    started_from_backup_id: str | None = None
    state: StreamingSessionState | None = None
    status_code: StreamingSessionStatusCode | None = None
    status_message: str | None = None
    stop_at: datetime | None = None
    stopped_at: datetime | None = None
    stopped_by: str | None = None
    streaming_image_id: str | None = None
    # A mapping has no hash, so the session's hash leaves it out.
    tags: Mapping[str, str] | None = attrs.field(default=None, converter=_copied, hash=False)
    terminate_at: datetime | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None
    volume_configuration: VolumeConfiguration | None = None
    volume_retention_mode: VolumeRetentionMode | None = None

    def __repr__(self) -> str:
        # Only what the service sent: 27 members hide the five of use.
        shown = ", ".join(
            f"{name}={str(value)!r}" if isinstance(value, _OpenEnum) else f"{name}={value!r}"
            for name, value in _members(self).items()
        )
        return f"{type(self).__name__}({shown})"

    def to_dict(self) -> dict[str, object]:
        """Give the wire form: the members that the service sent, under its own names.

        Returns:
            A new dictionary of JSON values. Times are RFC 3339 in UTC.
        """
        return cast("dict[str, object]", _to_wire(self))
