"""The members that `LocalNimble.add_session` accepts, converted to wire form.

Every member of a session can be given, under its snake_case or its wire name, and each is checked,
so that a typing error is found at once and not by a client that cannot read the answer. Which
members there are, and of which type, is the model's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias, cast, get_args

import attrs

from nimble_stop import models
from nimble_stop._api.converter import parse_timestamp
from nimble_stop.local.faults import checks
from nimble_stop.local.storage.clock import render_timestamp

_Fields: TypeAlias = "Mapping[str, attrs.Attribute[Any]]"

# All but those that are arguments of their own, under both of their names.
_FIELDS: Final[_Fields] = {
    spelling: field
    for field in attrs.fields(models.StreamingSession)
    if field.name not in {"session_id", "state"}
    for spelling in (field.name, models.member_name(field.name))
}
_VOLUME_FIELDS: Final[_Fields] = attrs.fields_dict(models.VolumeConfiguration)
_CHECKS: Final[Mapping[object, checks.Check]] = {
    str: checks.string,
    int: checks.whole_number(),
    Mapping[str, str]: checks.string_mapping,
}


def check_identifier(name: str, value: object) -> str:
    """Check an id: a string that can stand in a path; raise TypeError or ValueError."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {value!r}")
    # UTF-8 has no lone surrogates.
    if value in {"", ".", ".."} or value.encode(errors="replace").decode() != value:
        raise ValueError(f"{name} cannot be sent in a path: {value!r}")
    return value


def state_to_wire(state: object) -> str:
    """Check a state; raise ValueError when AWS has none of that name.

    A new one must be meant: as ``StreamingSessionState("HIBERNATED")``.
    """
    return _enum_value("state", state, models.StreamingSessionState)


def members_to_wire(members: Mapping[str, object]) -> dict[str, object]:
    """Check members, and convert them to wire form; a TypeError or ValueError names a wrong one.

    They are given under snake_case or wire names; times are aware datetimes or RFC 3339 texts, and
    None leaves a member out.
    """
    return _to_wire("a session", _FIELDS, members)


def _to_wire(what: str, fields: _Fields, members: Mapping[str, object]) -> dict[str, object]:
    wire: dict[str, object] = {}
    for spelling, value in members.items():
        field = fields.get(spelling)
        if field is None:
            names = ", ".join(dict.fromkeys(field.name for field in fields.values()))
            raise TypeError(
                f"{what} has no member {spelling!r} to set; it has {names}"
                f"{checks.suggestion(spelling, fields)}"
            )
        name = models.member_name(field.name)
        if name in wire:
            raise TypeError(f"the member {spelling!r} is given twice")
        wire[name] = None if value is None else _value(field, value)
    return wire


def _value(field: attrs.Attribute[Any], value: object) -> object:
    kind = get_args(field.type)[0]
    if kind is datetime:
        return _time(field.name, value)
    if kind is models.VolumeConfiguration:
        return _volume_configuration(field.name, value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum_value(field.name, value, kind)
    _CHECKS[kind](None, field, value)
    return dict(cast("Mapping[str, str]", value)) if isinstance(value, Mapping) else value


def _enum_value(name: str, value: object, enum: type[StrEnum]) -> str:
    known = list(enum)
    # A member of the open enumeration is meant as it is, whatever its value.
    if isinstance(value, enum) or value in known:
        return str(value)
    raise ValueError(
        f"{name} must be one of {', '.join(known)}, not {value!r}; "
        f"in Python, {enum.__name__}({value!r}) means a new one"
    )


def _time(name: str, value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name} must be an aware datetime, not {value!r}")
        return render_timestamp(value.timestamp())
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a datetime or a text, not {value!r}")
    # Clients read it, so theirs is the rule, and the spelling is left to the test.
    try:
        parse_timestamp(value)
    except ValueError as error:
        raise ValueError(f"{name} is no time: {error}") from None
    return value


def _volume_configuration(name: str, value: object) -> dict[str, object]:
    given = attrs.asdict(value) if isinstance(value, models.VolumeConfiguration) else value
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} must be a VolumeConfiguration or a mapping, not {value!r}")
    wire = _to_wire(name, _VOLUME_FIELDS, cast("Mapping[str, object]", given))
    return {name: number for name, number in wire.items() if number is not None}
