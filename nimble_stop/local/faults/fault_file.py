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

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Final, cast

import attrs

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.faults.checks import check_name, quote, read_json, suggestion
from nimble_stop.local.faults.rules import Fault, FaultRule, kinds_of_faults

_RULE_FIELDS: Final = {
    field.name: field for field in attrs.fields(FaultRule) if field.init and field.name != "fault"
}


def load_faults(path: str | PathLike[str]) -> list[FaultRule]:
    """Read rules from a file.

    Args:
        path: The file, a JSON list of objects. Each names its fault under ``fault``; its other keys
            are the arguments of that fault and of `FaultRule`.

    Raises:
        ConfigurationError: The file cannot be read or holds something else; it names the key.
    """
    document = read_json(path, "The faults in")
    try:
        return read_rules(document)
    except ConfigurationError as error:
        raise ConfigurationError(f"In {str(path)!r}: {error.message}") from error


def read_faults(given: Sequence[Fault | FaultRule] | str | PathLike[str]) -> list[FaultRule]:
    """Make rules of what an option holds: faults, rules, or the path of a file."""
    if isinstance(given, str | PathLike):
        return load_faults(given)
    return [entry if isinstance(entry, FaultRule) else FaultRule(entry) for entry in given]


def read_rules(document: object) -> list[FaultRule]:
    """Make rules of their JSON form, as `load_faults` does."""
    if not isinstance(document, list):
        raise ConfigurationError("The faults must be a list of objects.")
    entries = enumerate(cast("list[object]", document))
    return [read_rule(entry, f"[{index}]") for index, entry in entries]


def read_rule(entry: object, place: str) -> FaultRule:
    """Make a rule of its JSON form; a ConfigurationError names the place and the key."""
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{place} must be an object, not {quote(entry)}.")
    try:
        return _build_rule(dict(cast("dict[str, object]", entry)))
    except (TypeError, ValueError) as error:
        # The messages begin with the key.
        message = f"{place}.{error}"
        raise ConfigurationError(message if message.endswith("?") else f"{message}.") from error


def _build_rule(arguments: dict[str, object]) -> FaultRule:
    # The classes check their arguments themselves, so these need no types here.
    kinds: dict[str, Any] = {kind.__name__: kind for kind in kinds_of_faults()}
    name = check_name("fault", arguments.pop("fault", None), kinds)
    fields = attrs.fields_dict(kinds[name])
    known = [*fields, *_RULE_FIELDS]
    for key in arguments:
        if key not in known:
            raise TypeError(
                f"{key} is no key of {name}; it has {', '.join(known)}{suggestion(key, known)}"
            )
    for field in fields.values():
        if field.default is attrs.NOTHING and field.name not in arguments:
            raise TypeError(f"{field.name} is missing; {name} needs it")
    own = {key: arguments.pop(key) for key in fields if key in arguments}
    return FaultRule(kinds[name](**own), **cast("dict[str, Any]", arguments))


def write_rule(rule: FaultRule) -> dict[str, object]:
    """Write a rule as the object that makes an equal one; what is as by default is left out."""
    fault = rule.fault
    return {
        "fault": type(fault).__name__,
        **_given(fault, attrs.fields_dict(cast("Any", type(fault)))),
        **_given(rule, _RULE_FIELDS),
    }


def describe_rule(rule: FaultRule) -> dict[str, object]:
    """Write a rule in force: ``id``, ``fired``, ``left`` and what `write_rule` writes."""
    return {"id": rule.id, "fired": rule.fired, "left": rule.left, **write_rule(rule)}


def _given(instance: object, fields: Mapping[str, attrs.Attribute[Any]]) -> dict[str, object]:
    values = {name: getattr(instance, name) for name in fields}
    return {
        name: dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value not in (fields[name].default, {})
    }
