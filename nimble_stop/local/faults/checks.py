"""Checks for the arguments of faults, of their rules, and for the members of sessions.

Faults come from files as well as from programs, so every argument is checked for its type too, and
each message begins with the argument's name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

if TYPE_CHECKING:
    import attrs

__all__ = [
    "check_finite",
    "check_headers",
    "check_mapping",
    "check_one_of",
    "check_string",
    "check_text",
    "check_whole",
]

# RFC 9110, 5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# A validator takes any attribute of any class; what is checked is the value's type.
Check: TypeAlias = "Callable[[object, attrs.Attribute[Any], object], None]"


def check_finite(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    """Accept finite numbers in a range."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{attribute.name} must be a number, not {value!r}")
        if not (minimum <= value <= maximum and math.isfinite(value)):
            raise ValueError(
                f"{attribute.name} must be a finite number{_range(minimum, maximum)}, not {value!r}"
            )

    return check


def check_whole(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    """Accept whole numbers in a range."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{attribute.name} must be a whole number, not {value!r}")
        if not minimum <= value <= maximum:
            raise ValueError(
                f"{attribute.name} must be a whole number{_range(minimum, maximum)}, not {value!r}"
            )

    return check


def _range(minimum: float, maximum: float) -> str:
    if maximum < math.inf:
        return f" from {minimum:g} to {maximum:g}"
    return "" if minimum == -math.inf else f", {minimum:g} or more"


def check_string(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept any string."""
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name} must be a string, not {value!r}")


def check_text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept what can stand in a header: printable ASCII."""
    check_string(_, attribute, value)
    if not (str(value).isascii() and str(value).isprintable()):
        raise ValueError(f"{attribute.name} must be printable ASCII, not {value!r}")


def check_mapping(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept mappings of strings to strings."""
    entries = cast("Mapping[object, object]", value).items() if isinstance(value, Mapping) else None
    if entries is None or not all(isinstance(text, str) for entry in entries for text in entry):
        raise TypeError(f"{attribute.name} must be a mapping of strings, not {value!r}")


def check_headers(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept mappings of names that a header can have to what can stand in one."""
    check_mapping(_, attribute, value)
    for name, text in cast("Mapping[str, str]", value).items():
        if _TOKEN.fullmatch(name) is None:
            raise ValueError(f"{attribute.name} must be named as headers are, not {name!r}")
        check_text(_, attribute, text)


def check_one_of(allowed: tuple[str, ...]) -> Check:
    """Accept some strings."""

    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value not in allowed:
            raise ValueError(f"{attribute.name} must be one of {', '.join(allowed)}, not {value!r}")

    return check
