"""What makes a function a command: the options of every command, and an exit code in any case.

A command's function gets the settings first, then its own arguments, and gives its exit code.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Concatenate

import click

from nimble_stop._cli.failures import guarded
from nimble_stop._cli.settings import Command, Settings, global_options, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def command(
    name: str, *, examples: Sequence[str] = ()
) -> Callable[[Callable[Concatenate[Settings, ...], int]], click.Command]:
    """Make a function a command of this name; its docstring is the help, closed by examples."""

    def decorate(function: Callable[Concatenate[Settings, ...], int]) -> click.Command:
        @functools.wraps(function)
        def run(**arguments: Any) -> int:  # noqa: ANN401  # click passes what the options are
            settings = read_settings(click.get_current_context())
            return guarded(settings, lambda: function(settings, **arguments))

        return click.command(name, cls=Command, examples=examples)(global_options(run))

    return decorate
