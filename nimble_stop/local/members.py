"""The members of a session that a test or a sample gives, brought into wire form.

This module owns what `LocalNimble.add_session` accepts: every member of a session under its
snake_case or its wire name, checked, so that a typing error is found at once and not by a client
that cannot read the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import attrs

from nimble_stop.local.clock import parse_timestamp, render_timestamp
from nimble_stop.models import (
    AutomaticTerminationMode,
    SessionBackupMode,
    SessionPersistenceMode,
    StreamingSessionState,
    StreamingSessionStatusCode,
    VolumeConfiguration,
    VolumeRetentionMode,
)

if TYPE_CHECKING:
    from enum import StrEnum

__all__ = ["members_to_wire", "state_to_wire"]

_ENUMS: Final[Mapping[str, type[StrEnum]]] = MappingProxyType(
    {
        "automaticTerminationMode": AutomaticTerminationMode,
        "backupMode": SessionBackupMode,
        "sessionPersistenceMode": SessionPersistenceMode,
        "statusCode": StreamingSessionStatusCode,
        "volumeRetentionMode": VolumeRetentionMode,
    }
)
_TEXTS: Final = frozenset(
    {
        "arn", "createdBy", "ec2InstanceType", "launchProfileId", "ownedBy", "startedBy",
        "startedFromBackupId", "statusMessage", "stoppedBy", "streamingImageId", "updatedBy",
    }
)  # fmt: skip
_TIMES: Final = frozenset(
    {"createdAt", "startedAt", "stopAt", "stoppedAt", "terminateAt", "updatedAt"}
)
_WIRE_NAMES: Final = frozenset(
    {*_ENUMS, *_TEXTS, *_TIMES, "maxBackupsToRetain", "tags", "volumeConfiguration"}
)


def _snake_case(wire_name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), wire_name)


_NAMES: Final = {
    **{_snake_case(name): name for name in _WIRE_NAMES},
    **{name: name for name in _WIRE_NAMES},
}


def state_to_wire(state: str) -> str:
    """Check a state.

    A state that AWS does not have must be meant: as ``StreamingSessionState("HIBERNATED")``.

    Raises:
        ValueError: There is no such state.
    """
    return _enum_value("state", state, StreamingSessionState)


def members_to_wire(members: Mapping[str, object]) -> dict[str, object]:
    """Bring members into wire form.

    Args:
        members: Values under snake_case or wire names; times are aware datetimes or ISO 8601, None
            leaves a member out.

    Raises:
        TypeError: There is no such member, it is given twice, or its value is of a wrong type.
        ValueError: A value is not one that the member can have.
    """
    wire: dict[str, object] = {}
    for name, value in members.items():
        wire_name = _NAMES.get(name)
        if wire_name is None:
            known = ", ".join(sorted(_snake_case(known) for known in _WIRE_NAMES))
            raise TypeError(f"a session has no member {name!r} to set; it has {known}")
        if wire_name in wire:
            raise TypeError(f"the member {name!r} is given twice")
        wire[wire_name] = None if value is None else _value(wire_name, value)
    return wire


def _value(name: str, value: object) -> object:
    if name in _ENUMS:
        return _enum_value(name, value, _ENUMS[name])
    if name in _TIMES:
        return _time(name, value)
    if name == "tags":
        return _tags(value)
    if name == "volumeConfiguration":
        return _volume_configuration(value)
    if name == "maxBackupsToRetain":
        return _whole_number(name, value)
    if not isinstance(value, str):
        raise TypeError(f"{_snake_case(name)} must be a string, not {value!r}")
    return value


def _enum_value(name: str, value: object, enum: type[StrEnum]) -> str:
    known = list(enum)
    # A member of the open enumeration is meant as it is, whatever its value.
    if isinstance(value, enum) or value in known:
        return str(value)
    raise ValueError(
        f"{_snake_case(name)} must be one of {', '.join(known)}, not {value!r}; "
        f"to mean a new one, pass {enum.__name__}({value!r})"
    )


def _time(name: str, value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{_snake_case(name)} must be an aware datetime, not {value!r}")
        return render_timestamp(value.astimezone(UTC).timestamp())
    if not isinstance(value, str):
        raise TypeError(f"{_snake_case(name)} must be a datetime or ISO 8601, not {value!r}")
    parse_timestamp(value)
    return value


def _tags(value: object) -> dict[str, str]:
    entries = dict(cast("Mapping[object, object]", value)) if isinstance(value, Mapping) else None
    if entries is None or not all(
        isinstance(text, str) for entry in entries.items() for text in entry
    ):
        raise TypeError(f"tags must be a mapping of strings, not {value!r}")
    return cast("dict[str, str]", entries)


def _volume_configuration(value: object) -> dict[str, int]:
    if isinstance(value, VolumeConfiguration):
        value = attrs.asdict(value)
    if not isinstance(value, Mapping):
        raise TypeError(
            f"volume_configuration must be a VolumeConfiguration or a mapping, not {value!r}"
        )
    names = {field.name for field in attrs.fields(VolumeConfiguration)}
    wire: dict[str, int] = {}
    for name, number in cast("Mapping[str, object]", value).items():
        if name not in names:
            raise TypeError(f"volume_configuration has no member {name!r}")
        if number is not None:
            wire[name] = _whole_number(f"volumeConfiguration.{name}", number)
    return wire


def _whole_number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{_snake_case(name)} must be a whole number, not {value!r}")
    return value
