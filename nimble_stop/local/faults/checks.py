"""Checks for what tests and files pass: attrs' validators, with messages for people.

Options, faults and their rules come from files and command lines as well as from programs, so every
value is checked for its type too. Each message begins with the name of what is wrong.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs.validators import and_, deep_mapping, ge, instance_of, le, matches_re

from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from os import PathLike

    import attrs

_LONGEST_QUOTE: Final = 80

# A validator takes any attribute of any class; what is checked is the value.
Check: TypeAlias = Callable[[Any, "attrs.Attribute[Any]", Any], Any]


def expect(expectation: str, *checks: Check) -> Check:
    """Combine attrs' validators under one message, without the attribute's whole definition."""
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


_string: Final[Check] = instance_of(str)
# What can stand in a header (RFC 9110, 5.5), and how one can be named (5.6.2).
_printable: Final[Check] = matches_re(r"[ -~]*")
_header_name: Final[Check] = matches_re(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_mapping_of_strings: Final[Check] = and_(instance_of(Mapping), deep_mapping(_string, _string))

boolean: Final = expect("True or False", instance_of(bool))
string: Final = expect("a string", _string)
printable: Final = expect("a string of printable ASCII", _string, _printable)
string_mapping: Final = expect("a mapping of strings to strings", _mapping_of_strings)
headers: Final = expect(
    "a mapping of header names to strings of printable ASCII",
    _mapping_of_strings,
    deep_mapping(_header_name, _printable),
)


def number(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    """Accept finite numbers in a range."""
    return _in_range("a finite number", (int, float), minimum, maximum)


def whole_number(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    """Accept whole numbers in a range."""
    return _in_range("a whole number", (int,), minimum, maximum)


def _in_range(name: str, types: tuple[type, ...], minimum: float, maximum: float) -> Check:
    if maximum < math.inf:
        name += f" from {minimum:g} to {maximum:g}"
    elif minimum > -math.inf:
        name += f", {minimum:g} or more"
    return expect(name, instance_of(types), _finite, ge(minimum), le(maximum))


def _finite(_: object, __: attrs.Attribute[Any], value: float) -> None:
    # In Python a boolean is a whole number; in JSON it is not.
    if isinstance(value, bool):
        raise TypeError
    if not -math.inf < value < math.inf:
        raise ValueError


def one_of(known: Collection[str]) -> Check:
    """Accept some strings; a wrong one is answered with the one that was probably meant."""

    def validate(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        check_name(attribute.name, value, known)

    return validate


def check_name(name: str, value: object, known: Collection[str]) -> str:
    """Check that a value is one of the known strings, and return it."""
    __tracebackhide__ = True
    message = f"{name} must be one of {', '.join(known)}, not {quote(value)}"
    if not isinstance(value, str):
        raise TypeError(message)
    if value not in known:
        raise ValueError(message + suggestion(value, known))
    return value


def read_json(path: str | PathLike[str], what: str) -> object:
    """Read a JSON file; a ConfigurationError says what cannot be read."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{what} {str(path)!r} cannot be read: {error}.") from error
