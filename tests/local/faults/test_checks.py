from __future__ import annotations

import math

import attrs
import pytest

from nimble_stop.local.faults.checks import (
    boolean,
    headers,
    number,
    one_of,
    printable,
    quote,
    string,
    string_mapping,
    suggestion,
    whole_number,
)


@attrs.frozen(kw_only=True)
class Checked:
    """One attribute of each kind."""

    seconds: object = attrs.field(default=1, validator=number(0))
    offset: object = attrs.field(default=1, validator=number())
    share: object = attrs.field(default=1, validator=number(0, 1))
    count: object = attrs.field(default=1, validator=whole_number(1))
    status: object = attrs.field(default=200, validator=whole_number(200, 599))
    name: object = attrs.field(default="x", validator=string)
    text: object = attrs.field(default="x", validator=printable)
    flag: object = attrs.field(default=True, validator=boolean)
    mapping: object = attrs.field(factory=dict, validator=string_mapping)
    headers: object = attrs.field(factory=dict, validator=headers)
    choice: object = attrs.field(default="stop", validator=one_of(("stop", "start")))


def test_what_is_allowed() -> None:
    """The limits themselves are allowed, and whole numbers where any number is."""
    Checked(seconds=0, offset=-5.5, share=1, count=1, status=599, text="", mapping={"a": "b"})
    Checked(headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, name="ü", choice="start")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", "1"),
        ("seconds", True),
        ("count", 1.0),
        ("count", True),
        ("name", b"x"),
        ("text", 5),
        ("flag", 1),
        ("mapping", []),
        ("mapping", {"a": 1}),
        ("headers", []),
        ("headers", {"a": 1}),
        ("choice", 5),
        ("choice", ["stop"]),
    ],
)
def test_wrong_types(name: str, value: object) -> None:
    """A value of another type is a TypeError that begins with the name and quotes the value."""
    with pytest.raises(TypeError, match=f"^{name} must be") as caught:
        Checked(**{name: value})
    assert str(caught.value).endswith(f"not {value!r}")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("seconds", -1, "a finite number, 0 or more, not -1"),
        ("seconds", math.inf, "a finite number"),
        ("offset", math.nan, "a finite number, not nan"),
        ("share", 1.1, "a finite number from 0 to 1, not 1.1"),
        ("count", 0, "a whole number, 1 or more"),
        ("status", 600, "a whole number from 200 to 599"),
        ("text", "a\r\nb", "printable ASCII"),
        ("text", "a\n", "printable ASCII"),
        ("text", "ü", "printable ASCII"),
        ("headers", {"X Y": "a"}, "header names"),
        ("headers", {"": "a"}, "header names"),
        ("headers", {"X": "a\r\nY: b"}, "printable ASCII"),
        ("choice", "stopp", "one of stop, start, not 'stopp'; did you mean 'stop'?"),
        ("choice", "pause", "one of stop, start, not 'pause'"),
    ],
)
def test_wrong_values(name: str, value: object, said: str) -> None:
    """A value out of range is a ValueError that names the range, and nothing of attrs'."""
    with pytest.raises(ValueError, match=f"^{name} must be") as caught:
        Checked(**{name: value})
    assert said in str(caught.value)
    assert len(caught.value.args) == 1


def test_long_values_are_cut() -> None:
    """A message quotes the beginning of a value, and a class by its name."""
    assert quote("x" * 1000) == f"'{'x' * 79}… (1002 long)"
    assert quote(Checked) == "the class Checked"


def test_suggestions() -> None:
    """The name that is most like a wrong one is suggested, if there is one."""
    assert suggestion("sesion_id", ["studio_id", "session_id"]) == "; did you mean 'session_id'?"
    assert suggestion(5, ["studio_id"]) == ""
