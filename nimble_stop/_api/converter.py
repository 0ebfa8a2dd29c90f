"""Wire JSON to models and back, through cattrs.

The wire spells names in camelCase and times as texts; the models do neither. Members that are
null count as absent, members that nobody knows are ignored, and a member of the wrong type is an
error that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
from cattrs import AttributeValidationNote, BaseValidationError, Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from nimble_stop import models
from nimble_stop._api.timestamps import format_timestamp, parse_timestamp
from nimble_stop.models import StreamingSession, VolumeConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENUMS: Final = (
    models.AutomaticTerminationMode,
    models.SessionBackupMode,
    models.SessionPersistenceMode,
    models.StreamingSessionState,
    models.StreamingSessionStatusCode,
    models.VolumeRetentionMode,
)


def member_name(attribute: str) -> str:
    """Give a model attribute's name on the wire."""
    first, *rest = attribute.split("_")
    return first + "".join(map(str.capitalize, rest))


# The session's private member that keeps the times as the service spelled them.
_TIMES: Final = "_wire_times"
_TIME_MEMBERS: Final = tuple(
    member_name(attribute.name)
    for attribute in attrs.fields(StreamingSession)
    if attribute.name.endswith("_at")
)


class MemberError(ValueError):
    """A member of an answer has a value that the API does not allow."""


def structure_session(wire: object) -> StreamingSession:
    """Make a session of its wire form.

    Raises:
        MemberError: The value is no object, or a member has the wrong type; the message names it.
    """
    if not isinstance(wire, Mapping):
        raise MemberError(f"session: expected an object, not {type(wire).__name__}")
    members = cast("Mapping[str, object]", wire)
    times = {name: members[name] for name in _TIME_MEMBERS if members.get(name) is not None}
    try:
        return _reader.structure({**members, _TIMES: times}, StreamingSession)
    except BaseValidationError as error:
        raise MemberError("; ".join(_explain(error, "session"))) from None


def session_to_wire(session: StreamingSession) -> dict[str, object]:
    """Give a session's wire form, with the times spelled as the service spelled them."""
    wire: dict[str, object] = _writer().unstructure(session)
    spellings: Mapping[str, str | float] = getattr(session, _TIMES)
    for name, spelling in spellings.items():
        # A session that was changed since (attrs.evolve) has a time of its own to tell.
        if name in wire and parse_timestamp(spelling) == parse_timestamp(wire[name]):
            wire[name] = spelling
    return wire


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


def _structure_text(value: object, _: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(f"expected a string, not {type(value).__name__}")


def _structure_integer(value: object, _: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise TypeError(f"expected an integer, not {type(value).__name__}")


def _structure_enum(value: object, enum: Any) -> Any:  # noqa: ANN401 - cattrs hands the class over
    if isinstance(value, str):
        return enum(value)
    raise TypeError(f"expected a string, not {type(value).__name__}")


def _structure_time(value: object, _: object) -> datetime:
    return parse_timestamp(value)


def _structure_tags(value: object, _: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, not {type(value).__name__}")
    # Smithy's JSON protocols drop null values of a map.
    tags: dict[str, str] = {}
    for key, text in cast("Mapping[str, object]", value).items():
        if isinstance(text, str):
            tags[key] = text
        elif text is not None:
            raise TypeError(f"expected a string for {key!r}, not {type(text).__name__}")
    return tags


def _is_mapping_type(kind: object) -> bool:
    return kind == Mapping[str, str]


def _renames(model: type[attrs.AttrsInstance]) -> dict[str, Any]:
    return {
        attribute.name: override(rename=member_name(attribute.name), omit_if_default=True)
        for attribute in attrs.fields(model)
        if attribute.name != _TIMES
    }


def _make_reader() -> Converter:
    reader = Converter()
    reader.register_structure_hook(str, _structure_text)
    reader.register_structure_hook(int, _structure_integer)
    reader.register_structure_hook(datetime, _structure_time)
    reader.register_structure_hook_func(_is_mapping_type, _structure_tags)
    for enum in _ENUMS:
        reader.register_structure_hook(enum, _structure_enum)
    read_volume = make_dict_structure_fn(
        VolumeConfiguration, reader, **_renames(VolumeConfiguration)
    )

    def structure_volume(value: object, model: type[VolumeConfiguration]) -> VolumeConfiguration:
        if not isinstance(value, Mapping):
            raise TypeError(f"expected an object, not {type(value).__name__}")
        return read_volume(cast("Mapping[str, Any]", value), model)

    reader.register_structure_hook(VolumeConfiguration, structure_volume)
    reader.register_structure_hook(
        StreamingSession,
        make_dict_structure_fn(
            StreamingSession,
            reader,
            **_renames(StreamingSession),
            _wire_times=override(rename=_TIMES, struct_hook=lambda times, _: times),
        ),
    )
    return reader


@cache
def _writer() -> Converter:
    """Make the converter for the way back, which most programs never go."""
    writer = Converter()
    writer.register_unstructure_hook(datetime, format_timestamp)
    writer.register_unstructure_hook_func(_is_mapping_type, dict)
    for enum in _ENUMS:
        writer.register_unstructure_hook(enum, str)
    writer.register_unstructure_hook(
        VolumeConfiguration,
        make_dict_unstructure_fn(VolumeConfiguration, writer, **_renames(VolumeConfiguration)),
    )
    writer.register_unstructure_hook(
        StreamingSession,
        make_dict_unstructure_fn(
            StreamingSession,
            writer,
            **_renames(StreamingSession),
            _wire_times=override(omit=True),
        ),
    )
    return writer


_reader: Final = _make_reader()
