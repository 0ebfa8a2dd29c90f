"""Options that take one of the API's own words, in any case, and complete them in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from collections.abc import Iterable


def one_of(names: Iterable[str]) -> dict[str, Any]:
    """Give the attributes of an option that takes one of these words, which are in capitals.

    click's own Choice spells them in small letters where the case is free.
    """
    words = tuple(str(name) for name in names)

    def check(context: click.Context, parameter: click.Parameter, value: Any) -> Any:  # noqa: ANN401  # one, several or none
        if isinstance(value, tuple):
            given = cast("tuple[str, ...]", value)
            return tuple(check(context, parameter, one) for one in given)
        if value is None or value.upper() in words:
            return value and value.upper()
        raise click.BadParameter(f"{value!r} is none of {', '.join(words)}.", context, parameter)

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        del context, parameter
        return [word for word in words if word.startswith(incomplete.upper())]

    return {"callback": check, "shell_complete": complete}
