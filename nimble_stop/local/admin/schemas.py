"""JSON Schemas, made of the annotations and docstrings of classes and functions.

So a new member of a session, a new kind of fault or a new parameter is described as soon as it
exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Final, TypeAlias, get_args, get_type_hints

import attrs

from nimble_stop.models import VolumeConfiguration, member_name

Schema: TypeAlias = Mapping[str, object]
"""A JSON Schema, as OpenAPI 3.1 has it."""

Count: TypeAlias = Annotated[int, 1]
"""A number of things, at least one; also a number that counts from 1."""

CountOrZero: TypeAlias = Annotated[int, 0]
"""A number of things; also a number that counts from 1, or 0 for none."""

COUNT: Final[Schema] = {"type": "integer", "minimum": 1}
COUNT_OR_ZERO: Final[Schema] = {"type": "integer", "minimum": 0}

_PLAIN: Final[Mapping[object, Schema]] = MappingProxyType(
    {
        Count: COUNT,
        CountOrZero: COUNT_OR_ZERO,
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
    return {"type": "array", "items": items}


def nullable(schema: Schema) -> Schema:
    """Describe a value that may also be null."""
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def one_or_list(name: str) -> Schema:
    """Describe one of the components, or a list of them."""
    return {"oneOf": [reference(name), array(reference(name))]}


def described(schema: Schema, description: str) -> Schema:
    """Add a description; an empty one adds nothing."""
    return {**schema, "description": description} if description else schema


def object_schema(
    properties: Mapping[str, Schema],
    required: Sequence[str] | None = None,
    description: str = "",
) -> Schema:
    """Describe an object without other members; all are required if `required` is None."""
    schema = {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }
    return described(schema, description)


def fields_schema(
    kind: type[Any], *, with_null: bool, spell: Callable[[str], str] = member_name
) -> dict[str, Schema]:
    """Describe what an attrs class is made with.

    Args:
        kind: The class.
        with_null: Whether what is None in Python is null in JSON; else it is left out.
        spell: Returns the name that an argument has in JSON.
    """
    hints = get_type_hints(kind, localns=_TYPING_ONLY)
    descriptions = argument_descriptions(kind)
    return {
        spell(field.name): described(
            type_schema(hints[field.name], with_null=with_null), descriptions.get(field.name, "")
        )
        for field in attrs.fields(kind)
        if field.init
    }


def type_schema(hint: object, *, with_null: bool) -> Schema:
    """Describe the values of a type."""
    if NoneType in get_args(hint):
        schema = type_schema(get_args(hint)[0], with_null=with_null)
        return nullable(schema) if with_null else schema
    if hint is VolumeConfiguration:
        return object_schema(fields_schema(VolumeConfiguration, with_null=with_null), required=())
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        # Not an enum of JSON Schema: values that AWS may add later are kept.
        return {"type": "string", "examples": [str(value) for value in hint]}
    # Whatever a fault of a user's own takes.
    return {}


def argument_descriptions(documented: Callable[..., object]) -> dict[str, str]:
    """Read what a docstring says of each argument; nothing under ``python -OO``."""
    arguments = (documented.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^ +(\w+): (.+?)(?=^ +\w+: |\Z)", arguments, re.MULTILINE | re.DOTALL)
    return {name: plain_text(text) for name, text in found}


def plain_text(text: str) -> str:
    """Write a paragraph of a docstring as one line of Markdown."""
    return " ".join(text.replace("``", "`").split())
