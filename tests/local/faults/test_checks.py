from __future__ import annotations

import math

import attrs
import pytest

from nimble_stop.local.faults.checks import (
    check_finite,
    check_headers,
    check_mapping,
    check_one_of,
    check_text,
    check_whole,
)


@attrs.frozen(kw_only=True)
class Checked:
    """One attribute of each kind."""

    seconds: object = attrs.field(default=1, validator=check_finite(0))
    offset: object = attrs.field(default=1, validator=check_finite())
    share: object = attrs.field(default=1, validator=check_finite(0, 1))
    number: object = attrs.field(default=1, validator=check_whole(1))
    status: object = attrs.field(default=200, validator=check_whole(200, 599))
    text: object = attrs.field(default="x", validator=check_text)
    mapping: object = attrs.field(factory=dict, validator=check_mapping)
    headers: object = attrs.field(factory=dict, validator=check_headers)
    choice: object = attrs.field(default="a", validator=check_one_of(("a", "b")))


def test_what_is_allowed() -> None:
    """The limits themselves are allowed, and whole numbers where any number is."""
    Checked(seconds=0, offset=-5.5, share=1, number=1, status=599, text="", mapping={"a": "b"})
    Checked(headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", "1"),
        ("seconds", True),
        ("number", 1.0),
        ("number", True),
        ("text", 5),
        ("mapping", []),
        ("mapping", {"a": 1}),
        ("headers", []),
        ("headers", {"a": 1}),
    ],
)
def test_wrong_types(name: str, value: object) -> None:
    """A value of another type is a TypeError that begins with the name."""
    with pytest.raises(TypeError, match=f"^{name} must be"):
        Checked(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("seconds", -1, "a finite number, 0 or more, not -1"),
        ("seconds", math.inf, "a finite number"),
        ("offset", math.nan, "a finite number, not nan"),
        ("share", 1.1, "a finite number from 0 to 1, not 1.1"),
        ("number", 0, "a whole number, 1 or more"),
        ("status", 600, "a whole number from 200 to 599"),
        ("text", "a\r\nb", "printable ASCII"),
        ("text", "ü", "printable ASCII"),
        ("headers", {"X Y": "a"}, "named as headers are, not 'X Y'"),
        ("headers", {"": "a"}, "named as headers are"),
        ("headers", {"X": "a\r\nY: b"}, "printable ASCII"),
        ("choice", "c", "one of a, b, not 'c'"),
    ],
)
def test_wrong_values(name: str, value: object, said: str) -> None:
    """A value out of range is a ValueError that names the range."""
    with pytest.raises(ValueError, match=f"^{name} must be.*{said}"):
        Checked(**{name: value})
