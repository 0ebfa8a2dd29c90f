"""JSON Schemas of classes, made of their annotations and docstrings.

So a new member of a session, a new kind of fault or a new argument is described as soon as it
exists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import attrs

from nimble_stop.models import VolumeConfiguration, member_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nimble_stop.local.admin.routing import Schema

__all__ = [
    "COUNT",
    "COUNT_OR_ZERO",
    "array",
    "described",
    "fields_schema",
    "nullable",
    "object_schema",
    "one_or_list",
    "reference",
    "required_fields",
    "summary_of",
]

COUNT: Final[Schema] = {"type": "integer", "minimum": 1}
"""A number of things, at least one; also a number that counts from 1."""

COUNT_OR_ZERO: Final[Schema] = {"type": "integer", "minimum": 0}
"""A number of things; also a number that counts from 1, or 0 for none."""

_PLAIN: Final[Mapping[object, Schema]] = MappingProxyType(
    {
        bool: {"type": "boolean"},
        bytes: {"type": "string"},
        datetime: {"type": "string", "format": "date-time"},
        float: {"type": "number"},
        int: {"type": "integer"},
        str: {"type": "string"},
        tuple[str, ...]: {"type": "array", "items": {"type": "string"}},
        Mapping[str, str]: {"type": "object", "additionalProperties": {"type": "string"}},
    }
)
# What some of the classes' modules import for type checkers only.
_TYPING_ONLY: Final = MappingProxyType({"Mapping": Mapping, "datetime": datetime})


def reference(name: str) -> Schema:
    """Refer to a schema of the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": dict(items)}


def nullable(schema: Schema) -> Schema:
    """Describe a value that may also be null."""
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [dict(schema), {"type": "null"}]}


def one_or_list(name: str) -> Schema:
    """Describe one of the components, or a list of them."""
    return {"oneOf": [reference(name), array(reference(name))]}


def described(schema: Schema, description: str) -> Schema:
    """Add a description; an empty one adds nothing."""
    return {**schema, "description": description} if description else dict(schema)


def object_schema(
    properties: Mapping[str, Schema],
    required: Sequence[str] | None = None,
    description: str = "",
) -> Schema:
    """Describe an object without other members.

    Args:
        properties: Its members.
        required: Those that are always there; all if None.
        description: What it is.
    """
    schema = {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in properties.items()},
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }
    return described(schema, description)


def summary_of(kind: type) -> str:
    """Read the first paragraph of a class's docstring; empty under ``python -OO``."""
    return _plain_text((kind.__doc__ or "").partition("\n\n")[0])


def fields_schema(
    kind: type[Any], *, with_null: bool, left_out: Sequence[str] = ()
) -> dict[str, Schema]:
    """Describe what an attrs class is made with, each argument under its name in Python.

    Args:
        kind: The class.
        with_null: Whether what is None in Python is null in JSON; else it is left out.
        left_out: Arguments that are not described.
    """
    hints = get_type_hints(kind, localns=_TYPING_ONLY)
    descriptions = _argument_descriptions(kind)
    return {
        field.name: described(
            _type_schema(hints[field.name], with_null=with_null), descriptions.get(field.name, "")
        )
        for field in attrs.fields(kind)
        if field.init and field.name not in left_out
    }


def required_fields(kind: type[Any]) -> list[str]:
    """List the arguments of an attrs class that have no default."""
    return [
        field.name for field in attrs.fields(kind) if field.init and field.default is attrs.NOTHING
    ]


def _type_schema(hint: object, *, with_null: bool) -> Schema:
    known = [part for part in get_args(hint) if part is not NoneType]
    if NoneType in get_args(hint):
        schema = _type_schema(known[0], with_null=with_null)
        return nullable(schema) if with_null else schema
    if hint is VolumeConfiguration:
        members = fields_schema(VolumeConfiguration, with_null=with_null)
        return object_schema({member_name(name): members[name] for name in members}, required=())
    values = _enum_values(hint)
    if values:
        # Not an enum of JSON Schema: values that AWS may add later are kept.
        return {"type": "string", "examples": values}
    # Whatever a fault of a user's own takes.
    return _PLAIN.get(hint, {})


def _enum_values(hint: object) -> list[str]:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return [str(value) for value in hint]
    return []


def _argument_descriptions(kind: type) -> dict[str, str]:
    arguments = (kind.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^ +(\w+): (.+?)(?=^ +\w+: |\Z)", arguments, re.MULTILINE | re.DOTALL)
    return {name: _plain_text(text) for name, text in found}


def _plain_text(text: str) -> str:
    return " ".join(text.replace("``", "`").split())
