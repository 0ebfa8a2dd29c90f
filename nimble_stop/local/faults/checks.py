"""Checks for what tests and files pass: attrs' validators, with messages for people.

Options, faults and their rules come from files and command lines as well as from programs, so every
value is checked for its type too. Each message begins with the name of what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs.validators import (
    and_,
    deep_mapping,
    ge,
    gt,
    in_,
    instance_of,
    le,
    lt,
    matches_re,
)

if TYPE_CHECKING:
    import attrs

__all__ = [
    "Check",
    "boolean",
    "expect",
    "headers",
    "number",
    "one_of",
    "printable",
    "quote",
    "string",
    "string_mapping",
    "suggestion",
    "whole_number",
]

_LONGEST_QUOTE: Final = 80

# A validator takes any attribute of any class; what is checked is the value.
Check: TypeAlias = Callable[[Any, "attrs.Attribute[Any]", Any], Any]


def expect(expectation: str, *checks: Check) -> Check:
    """Combine attrs' validators under one message.

    attrs' own messages carry the attribute's whole definition.

    Args:
        expectation: What is allowed, to stand behind "must be".
        *checks: What must hold, in this order.
    """
    check = and_(*checks)

    def validate(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        try:
            check(instance, attribute, value)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{attribute.name} must be {expectation}, not {quote(value)}") from None

    return validate


def quote(value: object) -> str:
    """Write a value for a message, cut where it is long."""
    text = f"the class {value.__name__}" if isinstance(value, type) else repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}… ({len(text)} long)"


def suggestion(name: object, known: Iterable[str]) -> str:
    """Suggest the known name that is most like a wrong one, as the end of a sentence."""
    close = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _no_boolean(_: object, __: attrs.Attribute[Any], value: object) -> None:
    # In Python a boolean is a whole number; in JSON it is not.
    if isinstance(value, bool):
        raise TypeError


_string: Final[Check] = instance_of(str)
# What can stand in a header (RFC 9110, 5.5), and how one can be named (5.6.2).
_printable: Final[Check] = matches_re(r"[ -~]*")
_header_name: Final[Check] = matches_re(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_mapping_of_strings: Final[Check] = and_(instance_of(Mapping), deep_mapping(_string, _string))

boolean: Final = expect("True or False", instance_of(bool))
string: Final = expect("a string", _string)
printable: Final = expect("a string of printable ASCII", _string, _printable)
string_mapping: Final = expect(
    "a mapping of strings to strings",
    _mapping_of_strings,
)
headers: Final = expect(
    "a mapping of header names to strings of printable ASCII",
    _mapping_of_strings,
    deep_mapping(_header_name, _printable),
)


def number(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    """Accept finite numbers in a range."""
    return expect(
        f"a finite number{_range(minimum, maximum)}",
        instance_of((int, float)),
        _no_boolean,
        gt(-math.inf),
        lt(math.inf),
        ge(minimum),
        le(maximum),
    )


def whole_number(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    """Accept whole numbers in a range."""
    return expect(
        f"a whole number{_range(minimum, maximum)}",
        instance_of(int),
        _no_boolean,
        ge(minimum),
        le(maximum),
    )


def _range(minimum: float, maximum: float) -> str:
    if maximum < math.inf:
        return f" from {minimum:g} to {maximum:g}"
    return "" if minimum == -math.inf else f", {minimum:g} or more"


def one_of(known: Iterable[str]) -> Check:
    """Accept some strings; a wrong one is answered with the one that was probably meant."""
    known = tuple(known)
    check = expect(f"one of {', '.join(known)}", _string, in_(known))

    def validate(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        try:
            check(instance, attribute, value)
        except ValueError as error:
            raise ValueError(f"{error}{suggestion(value, known)}") from None

    return validate
