"""What makes a function a command: the options of every command, and an exit code in any case.

A command's function gets the global options first, then its own, and gives its exit code. Help
lists its own options and those of every command apart, and ends with examples.
"""

from __future__ import annotations

import functools
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Concatenate, Final

import click

from nimble_stop._cli.failures import ExitCode, report
from nimble_stop._cli.global_options import (
    GlobalOptions,
    SharedOption,
    global_options,
    read_global_options,
    remember_words,
    spell_out_local,
)
from nimble_stop._cli.signals import sigterm_as_interrupt
from nimble_stop._cli.terminal.logs import log_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_WIDEST_NAME: Final = 30


def command(
    name: str,
    *,
    examples: Iterable[str] = (),
    kind: type[Command] | None = None,
    context_settings: dict[str, Any] | None = None,
) -> Callable[[Callable[Concatenate[GlobalOptions, ...], int]], click.Command]:
    """Make a function a command of this name; its docstring is the help, closed by examples.

    Args:
        name: The command's name.
        examples: Lines for the end of the help.
        kind: The class of the command, if it is a special one.
        context_settings: How click parses it, if not as usual.
    """

    def decorate(function: Callable[Concatenate[GlobalOptions, ...], int]) -> click.Command:
        @functools.wraps(function)
        def run(**arguments: Any) -> int:  # noqa: ANN401  # click passes what the options are
            options = read_global_options(click.get_current_context())
            return _guarded(options, lambda: function(options, **arguments))

        make = click.command(
            name,
            cls=kind or Command,
            epilog=as_written("Examples", examples),
            context_settings=context_settings,
        )
        return make(global_options(run))

    return decorate


def as_written(heading: str, lines: Iterable[str]) -> str:
    """Make a section of an epilog, whose lines click does not wrap."""
    return "\n".join(("\b", f"{heading}:", *(f"  {line}" for line in lines)))


def _guarded(options: GlobalOptions, work: Callable[[], int]) -> int:
    """Do a command's work and give its exit code, whatever happens."""
    with log_lines() if options.debug else nullcontext(), sigterm_as_interrupt():
        try:
            return work()
        except BrokenPipeError:
            # The reader of our output has what it wanted.
            return ExitCode.OK
        except (ModuleNotFoundError, click.ClickException, click.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # no traceback ever reaches a user
            return report(error, options)


class Command(click.Command):
    """A command whose help lists the options of every command apart."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command's words."""
        return super().parse_args(ctx, spell_out_local(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options in the command's help."""
        _write_options(self, ctx, formatter)


class Group(click.Group):
    """The program itself, whose options are parsed and listed as those of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the whole line's words, and keep them as they are."""
        remember_words(ctx, args)
        return super().parse_args(ctx, spell_out_local(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands and the options in the program's help."""
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)


def _write_options(
    command: click.Command, context: click.Context, formatter: click.HelpFormatter
) -> None:
    own: list[tuple[str, str]] = []
    shared: list[tuple[str, str]] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            (shared if isinstance(parameter, SharedOption) else own).append(record)
    # In a narrow terminal the texts need the room more than the names do.
    name_width = min(_WIDEST_NAME, formatter.width // 3)
    with formatter.section("Options"):
        formatter.write_dl(own, col_max=name_width)
    with formatter.section("Options of every command"):
        formatter.write_dl(shared, col_max=name_width)
