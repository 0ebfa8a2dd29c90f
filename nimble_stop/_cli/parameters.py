"""Kinds of options that several commands have, and the one deadline of a command."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from nimble_stop._call.deadline import Deadline
from nimble_stop._config.options import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def deadline_option(meaning: str, default: float | None = None) -> Callable[[_Function], _Function]:
    """Give a command the option ``--deadline``: a `Deadline` that runs from now, or None."""
    return click.option(
        "--deadline",
        type=click.FloatRange(min=0, min_open=True),
        default=default,
        metavar="SECONDS",
        callback=_begin_deadline,
        help=meaning,
    )


def _begin_deadline(
    context: click.Context, parameter: click.Parameter, seconds: float | None
) -> Deadline | None:
    if seconds is None:
        return None
    if not math.isfinite(seconds):
        raise click.BadParameter(f"{seconds} is no number of seconds.", context, parameter)
    return Deadline(seconds, time.monotonic)


requests_deadline_option = deadline_option(
    f"How long the requests may take in all.  [default: {DEADLINE_SECONDS:.0f}]"
)


quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Write only what failed, and why; JSON is written whole."
)


def one_of(names: Iterable[str]) -> dict[str, Any]:
    """Give the attributes of an option that takes one of these words, which are in capitals.

    They are taken in any case, and a shell completes them. click's own Choice spells them in
    small letters where the case is free.
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
