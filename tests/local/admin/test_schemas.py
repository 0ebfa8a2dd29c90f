from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # the annotations are read
from datetime import datetime  # noqa: TC003  # likewise

import attrs
import pytest

from nimble_stop.local.admin.schemas import (
    array,
    described,
    fields_schema,
    nullable,
    object_schema,
    one_or_list,
)
from nimble_stop.models import (
    VolumeConfiguration,  # noqa: TC001  # likewise
    VolumeRetentionMode,  # noqa: TC001  # likewise
)
from tests.local.admin.support import problems


@attrs.frozen
class Example:
    """An example of a class.

    More about it.

    Args:
        number: How ``many``,
            in all.
        mode: How.
        tags: What for.
        volume: Where.
        when: When.
        own: Something of a user's own.
    """

    number: int
    mode: VolumeRetentionMode | None = None
    tags: Mapping[str, str] = attrs.field(factory=dict[str, str])
    volume: VolumeConfiguration | None = None
    when: datetime | None = None
    own: complex | None = None
    counted: int = attrs.field(default=0, init=False)


def test_fields_become_members() -> None:
    """Each argument is described by its type and by what the docstring says of it."""
    schema = fields_schema(Example, with_null=False)
    assert schema["number"] == {"type": "integer", "description": "How `many`, in all."}
    assert schema["mode"]["examples"] == ["RETAIN", "DELETE"]
    assert schema["tags"]["additionalProperties"] == {"type": "string"}
    assert schema["when"]["format"] == "date-time"
    assert "counted" not in schema


@pytest.mark.parametrize("with_null", [True, False])
def test_null(*, with_null: bool) -> None:
    """What may be None may be null, or is left out; what it may be otherwise is the same."""
    schema = object_schema(fields_schema(Example, with_null=with_null), required=())
    for name in ("mode", "volume", "when"):
        assert (list(problems(schema, {name: None})) == []) is with_null
        assert list(problems(schema, {name: 7})) != []
    known = {"mode": "A_NEW_ONE", "own": None, "volume": {"size": 100}}
    assert list(problems(schema, known)) == []


def test_small_parts() -> None:
    """Schemas are put together of others, and nothing empty is written."""
    assert nullable({"type": "string"}) == {"type": ["string", "null"]}
    assert array({"type": "string"}) == {"type": "array", "items": {"type": "string"}}
    assert one_or_list("X")["oneOf"] == [
        {"$ref": "#/components/schemas/X"},
        {"type": "array", "items": {"$ref": "#/components/schemas/X"}},
    ]
    assert described({"type": "string"}, "") == {"type": "string"}
    assert object_schema({"a": {}})["required"] == ["a"]


def test_without_docstrings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under ``python -OO`` there are no descriptions, and everything else is the same."""
    monkeypatch.setattr(Example, "__doc__", None)
    assert fields_schema(Example, with_null=True)["number"] == {"type": "integer"}
