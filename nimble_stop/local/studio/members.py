"""The members that `LocalNimble.add_session` accepts, converted to wire form.

This module owns the rule that every member of a session can be given, under its snake_case or its
wire name, and that each is checked, so that a typing error is found at once and not by a client
that cannot read the answer. Which members there are is the model's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from nimble_stop._api.timestamps import parse_timestamp
from nimble_stop.local.faults.checks import string, string_mapping, suggestion, whole_number
from nimble_stop.local.studio.clock import render_timestamp
from nimble_stop.models import (
    AutomaticTerminationMode,
    SessionBackupMode,
    SessionPersistenceMode,
    StreamingSession,
    StreamingSessionState,
    StreamingSessionStatusCode,
    VolumeConfiguration,
    VolumeRetentionMode,
    member_name,
)

if TYPE_CHECKING:
    from enum import StrEnum

__all__ = ["check_identifier", "members_to_wire", "state_to_wire"]

# Those that are arguments of their own.
_ARGUMENTS: Final = frozenset({"session_id", "state"})
_MEMBERS: Final = MappingProxyType(
    {
        field.name: field
        for field in attrs.fields(StreamingSession)
        if field.name not in _ARGUMENTS and not field.name.startswith("_")
    }
)
_SPELLINGS: Final = MappingProxyType(
    {spelling: name for name in _MEMBERS for spelling in (name, member_name(name))}
)
_ENUMS: Final[Mapping[str, type[StrEnum]]] = MappingProxyType(
    {
        "automatic_termination_mode": AutomaticTerminationMode,
        "backup_mode": SessionBackupMode,
        "session_persistence_mode": SessionPersistenceMode,
        "status_code": StreamingSessionStatusCode,
        "volume_retention_mode": VolumeRetentionMode,
    }
)


def check_identifier(name: str, value: object) -> str:
    """Check an id: it must be one that can stand in a path.

    Raises:
        TypeError: It is no string.
        ValueError: No client can send it.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {value!r}")
    if value in {"", ".", ".."} or not _is_unicode(value):
        raise ValueError(f"{name} cannot be sent in a path: {value!r}")
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def state_to_wire(state: object) -> str:
    """Check a state.

    A state that AWS does not have must be meant: as ``StreamingSessionState("HIBERNATED")``.

    Raises:
        ValueError: There is no such state.
    """
    return _enum_value("state", state, StreamingSessionState)


def members_to_wire(members: Mapping[str, object]) -> dict[str, object]:
    """Convert members to wire form.

    Args:
        members: Values under snake_case or wire names; times are aware datetimes or RFC 3339 texts,
            None leaves a member out.

    Raises:
        TypeError: There is no such member, it is given twice, or its value is of a wrong type.
        ValueError: A value is not one that the member can have.
    """
    wire: dict[str, object] = {}
    for spelling, value in members.items():
        name = _SPELLINGS.get(spelling)
        if name is None:
            raise TypeError(
                f"a session has no member {spelling!r} to set; it has {', '.join(_MEMBERS)}"
                f"{suggestion(spelling, _SPELLINGS)}"
            )
        wire_name = member_name(name)
        if wire_name in wire:
            raise TypeError(f"the member {spelling!r} is given twice")
        wire[wire_name] = None if value is None else _value(_MEMBERS[name], value)
    return wire


def _value(field: attrs.Attribute[Any], value: object) -> object:
    if field.name in _ENUMS:
        return _enum_value(field.name, value, _ENUMS[field.name])
    if field.name.endswith("_at"):
        return _time(field.name, value)
    if field.name == "tags":
        string_mapping(None, field, value)
        return dict(cast("Mapping[str, str]", value))
    if field.name == "volume_configuration":
        return _volume_configuration(value)
    check = whole_number() if field.name == "max_backups_to_retain" else string
    check(None, field, value)
    return value


def _enum_value(name: str, value: object, enum: type[StrEnum]) -> str:
    known = list(enum)
    # A member of the open enumeration is meant as it is, whatever its value.
    if isinstance(value, enum) or value in known:
        return str(value)
    raise ValueError(
        f"{name} must be one of {', '.join(known)}, not {value!r}; "
        f"to mean a new one, pass {enum.__name__}({value!r})"
    )


def _time(name: str, value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name} must be an aware datetime, not {value!r}")
        return render_timestamp(value.timestamp())
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a datetime or a text, not {value!r}")
    # Clients read it, so theirs is the rule, and the spelling is left to the test.
    parse_timestamp(value)
    return value


def _volume_configuration(value: object) -> dict[str, int]:
    if isinstance(value, VolumeConfiguration):
        value = attrs.asdict(value)
    if not isinstance(value, Mapping):
        raise TypeError(
            f"volume_configuration must be a VolumeConfiguration or a mapping, not {value!r}"
        )
    fields = attrs.fields_dict(VolumeConfiguration)
    wire: dict[str, int] = {}
    for name, number in cast("Mapping[str, int | None]", value).items():
        if name not in fields:
            raise TypeError(f"volume_configuration has no member {name!r}")
        if number is not None:
            whole_number()(None, fields[name], number)
            wire[name] = number
    return wire
