"""Faults from a JSON file, for ``nimble-stop serve --faults FILE``.

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
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

import attrs

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.faults.kinds import FAULTS
from nimble_stop.local.faults.rules import FaultRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

__all__ = ["load_faults", "parse_faults"]

_Built = TypeVar("_Built")
_KINDS: Final = {kind.__name__: kind for kind in FAULTS}
_RULE_KEYS: Final = frozenset(
    field.name for field in attrs.fields(FaultRule) if field.init and field.name != "fault"
)


def load_faults(path: str | PathLike[str]) -> list[FaultRule]:
    """Read rules from a file.

    Args:
        path: The file; its form is described in `nimble_stop.local.faults.fault_file`.

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
    return [
        _rule(f"[{index}]", entry) for index, entry in enumerate(cast("list[object]", document))
    ]


def _rule(place: str, entry: object) -> FaultRule:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{place} must be an object, not {entry!r}.")
    keys = dict(cast("dict[str, object]", entry))
    name = keys.pop("fault", None)
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ConfigurationError(f"{place}.fault must be one of {', '.join(_KINDS)}, not {name!r}.")
    fields = attrs.fields(kind)
    own_keys = [field.name for field in fields]
    for key in keys:
        if key not in own_keys and key not in _RULE_KEYS:
            known = ", ".join(sorted({*own_keys, *_RULE_KEYS}))
            raise ConfigurationError(f"{place}.{key} is no key of {name}; it has {known}.")
    for field in fields:
        if field.default is attrs.NOTHING and field.name not in keys:
            raise ConfigurationError(f"{place}.{field.name} is missing; {name} needs it.")
    try:
        fault = _build(kind, {key: keys[key] for key in keys if key in own_keys})
        rule_keys = {key: keys[key] for key in keys if key in _RULE_KEYS}
        return _build(FaultRule, {"fault": fault, **rule_keys})
    except (TypeError, ValueError) as error:
        # The validators' messages begin with the key.
        raise ConfigurationError(f"{place}.{error.args[0]}.") from error


def _build(kind: Callable[..., _Built], arguments: Mapping[str, object]) -> _Built:
    # The classes check their arguments themselves; which there are was checked before.
    return kind(**arguments)
