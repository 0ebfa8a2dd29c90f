"""Wire JSON to models, through cattrs.

The wire spells names in camelCase and times as texts; the models do neither. Members that are
null count as absent, members that nobody knows are ignored, and a member of the wrong type is an
error that names it.

The API documents its times as ISO 8601; Smithy's other form, seconds since the epoch, is read too.
A text without an offset names no moment, so it is refused rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, cast, get_args

import attrs
from cattrs import AttributeValidationNote, BaseValidationError, Converter
from cattrs.gen import make_dict_structure_fn, override

from nimble_stop import models
from nimble_stop.models import StreamingSession, VolumeConfiguration, member_name

_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):\d\d):(\d\d)(\.\d{1,9})?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_MICRO = len(".123456")


def structure_session(wire: object) -> StreamingSession:
    """Make a session of its wire form, or raise a ValueError that names what is wrong."""
    try:
        return _converter.structure(_checked_object(wire), StreamingSession)
    except (BaseValidationError, TypeError) as error:
        raise ValueError("; ".join(_explain(error, "session"))) from None


def parse_timestamp(value: object) -> datetime:
    """Read a time as the service sends it, or raise ValueError.

    It is an RFC 3339 text with up to nine fraction digits, of which six are kept, or a number of
    seconds since 1970, in the years 1 to 9999.
    """
    try:
        if isinstance(value, str):
            return _parse_text(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value!r} is out of range") from error
    raise ValueError(f"{value!r} is not a timestamp")


def _parse_text(text: str) -> datetime:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an RFC 3339 timestamp")
    day, minute, second, fraction, offset = match.groups(default="")
    # RFC 3339 allows a leap second, datetime does not: it is the moment after second 59.
    is_leap = second == "60"
    second = "59" if is_leap else second
    moment = datetime.fromisoformat(f"{day}T{minute}:{second}{fraction[:_MICRO]}{offset.upper()}")
    return (moment + timedelta(seconds=is_leap)).astimezone(UTC)


def _explain(error: BaseException, path: str) -> Iterator[str]:
    """Name every member that is wrong, from cattrs' tree of errors."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            path = f"{path}.{member_name(note.name)}"
    if isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from _explain(inner, path)
    else:
        yield f"{path}: {error}"


def _checked_object(value: object) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)
    raise TypeError(f"expected an object, not {type(value).__name__}")


def _structure_integer(value: object, _: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise TypeError(f"expected an integer, not {type(value).__name__}")


def _structure_text(value: object, kind: Any) -> Any:  # noqa: ANN401 - cattrs hands the class over
    if isinstance(value, str):
        return kind(value)
    raise TypeError(f"expected a string, not {type(value).__name__}")


def _structure_tags(value: object, _: object) -> dict[str, str]:
    # Smithy's JSON protocols drop null values of a map.
    tags: dict[str, str] = {}
    for key, text in _checked_object(value).items():
        if isinstance(text, str):
            tags[key] = text
        elif text is not None:
            raise TypeError(f"expected a string for {key!r}, not {type(text).__name__}")
    return tags


def _renames(model: type[attrs.AttrsInstance]) -> dict[str, Any]:
    return {
        attribute.name: override(rename=member_name(attribute.name))
        for attribute in attrs.fields(model)
    }


def _make_converter() -> Converter:
    converter = Converter()
    hooks: dict[object, Callable[[Any, Any], object]] = {
        str: _structure_text,
        int: _structure_integer,
        datetime: lambda value, _: parse_timestamp(value),
        Mapping[str, str]: _structure_tags,
    }
    for model in map(vars(models).__getitem__, models.__all__):
        if issubclass(model, StrEnum):
            hooks[model] = _structure_text

    def optional_hook(kind: object) -> Callable[[object, object], object]:
        # cattrs' own searches the hook of the type for every value.
        (given,) = set(get_args(kind)) - {type(None)}
        hook = hooks[given]
        return lambda value, _: None if value is None else hook(value, given)

    converter.register_structure_hook_factory(
        lambda kind: type(None) in get_args(kind), optional_hook
    )
    volume = VolumeConfiguration
    read_volume = make_dict_structure_fn(volume, converter, **_renames(volume))
    hooks[volume] = lambda value, model: read_volume(_checked_object(value), model)
    converter.register_structure_hook(
        StreamingSession,
        make_dict_structure_fn(StreamingSession, converter, **_renames(StreamingSession)),
    )
    return converter


_converter: Final = _make_converter()
