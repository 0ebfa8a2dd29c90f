"""Faults as JSON: in the file of ``nimble-stop serve --faults FILE``, and over the admin API.

The file is a list of objects. Each names its fault under ``fault``; its other keys are the fault's
and the rule's arguments, by the names they have in Python:

    [
        {"fault": "ServiceFailure", "code": "ThrottlingException", "retry_after": 2,
         "operation": "StopStreamingSession", "probability": 0.2, "seed": 7},
        {"fault": "ResetAfterChange", "session_id": "artist-1", "times": 1}
    ]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import attrs

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.faults.checks import quote, suggestion
from nimble_stop.local.faults.kinds import FAULTS
from nimble_stop.local.faults.rules import FaultRule

if TYPE_CHECKING:
    from nimble_stop.local.faults.points import Fault

__all__ = ["describe_rule", "load_faults", "parse_faults", "read_faults", "read_rule", "write_rule"]

_Built = TypeVar("_Built")
_KINDS: Final = {kind.__name__: kind for kind in FAULTS}
_RULE_KEYS: Final = tuple(
    field.name for field in attrs.fields(FaultRule) if field.init and field.name != "fault"
)


def load_faults(path: str | PathLike[str]) -> list[FaultRule]:
    """Read rules from a file.

    Args:
        path: The file, a JSON list of objects. Each names its fault under ``fault``; its other keys
            are the arguments of that fault and of `FaultRule`.

    Raises:
        ConfigurationError: The file cannot be read or holds something else; it names the key.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The faults in {str(path)!r} cannot be read: {error}.") from error
    try:
        return parse_faults(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"In {str(path)!r}: {error.message}") from error


def read_faults(given: Sequence[Fault | FaultRule] | str | PathLike[str]) -> list[FaultRule]:
    """Make rules of what an option holds: faults, rules, or the path of a file.

    Raises:
        ConfigurationError: The file cannot be read or holds something else.
        TypeError: Something is neither a fault nor a rule.
    """
    if isinstance(given, str | PathLike):
        return load_faults(given)
    return [entry if isinstance(entry, FaultRule) else FaultRule(entry) for entry in given]


def parse_faults(text: str) -> list[FaultRule]:
    """Read rules from JSON.

    Raises:
        ConfigurationError: The text holds something else; the message names the key.
    """
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"The faults are not JSON: {error}.") from error
    if not isinstance(document, list):
        raise ConfigurationError("The faults must be a list of objects.")
    entries = enumerate(cast("list[object]", document))
    return [read_rule(entry, f"[{index}]") for index, entry in entries]


def read_rule(entry: object, place: str) -> FaultRule:
    """Make a rule of its JSON form.

    Args:
        entry: The parsed object.
        place: Where it stands, for messages.

    Raises:
        ConfigurationError: It is no such object; the message names the key.
    """
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{place} must be an object, not {quote(entry)}.")
    keys = dict(cast("dict[str, object]", entry))
    name = keys.pop("fault", None)
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ConfigurationError(
            f"{place}.fault must be one of {', '.join(_KINDS)}, not {quote(name)}"
            f"{suggestion(name, _KINDS) or '.'}"
        )
    fields = _fields(kind)
    known = [*fields, *_RULE_KEYS]
    for key in keys:
        if key not in known:
            raise ConfigurationError(
                f"{place}.{key} is no key of {name}; it has {', '.join(known)}"
                f"{suggestion(key, known) or '.'}"
            )
    for field in fields.values():
        if field.default is attrs.NOTHING and field.name not in keys:
            raise ConfigurationError(f"{place}.{field.name} is missing; {name} needs it.")
    try:
        fault = _build(kind, {key: keys[key] for key in keys if key in fields})
        return _build(
            FaultRule, {"fault": fault, **{key: keys[key] for key in keys if key not in fields}}
        )
    except (TypeError, ValueError) as error:
        # The validators' messages begin with the key.
        message = f"{place}.{error}"
        raise ConfigurationError(message if message.endswith("?") else f"{message}.") from error


def _build(kind: Callable[..., _Built], arguments: Mapping[str, object]) -> _Built:
    # The classes check their arguments themselves; which there are was checked before.
    return kind(**arguments)


def write_rule(rule: FaultRule) -> dict[str, object]:
    """Write a rule as the object that makes an equal one; what is as by default is left out."""
    arguments = {name: getattr(rule, name) for name in _RULE_KEYS}
    return {
        "fault": type(rule.fault).__name__,
        **_given(rule.fault, _fields(type(rule.fault))),
        **_given(rule, {name: attrs.fields_dict(FaultRule)[name] for name in arguments}),
    }


def describe_rule(rule: FaultRule) -> dict[str, object]:
    """Write a rule in force: ``id``, ``fired``, ``left`` and what `write_rule` writes."""
    left = None if rule.times is None else rule.times - rule.fired
    return {"id": rule.id, "fired": rule.fired, "left": left, **write_rule(rule)}


def _given(instance: object, fields: Mapping[str, attrs.Attribute[Any]]) -> dict[str, object]:
    """Return the values that are not the defaults."""
    values = {name: getattr(instance, name) for name in fields}
    return {
        name: dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value not in (fields[name].default, {})
    }


def _fields(kind: type[Any]) -> Mapping[str, attrs.Attribute[Any]]:
    return attrs.fields_dict(kind)
