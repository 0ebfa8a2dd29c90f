"""What makes a function a command: the options of every command, and an exit code in any case.

A command's function gets the settings first, then its own arguments, and gives its exit code. Help
lists its own options and those of every command apart, and ends with examples.
"""

from __future__ import annotations

import functools
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Concatenate, Final

import click

from nimble_stop._cli.failures import ExitCode, report
from nimble_stop._cli.interruption import sigterm_as_interrupt
from nimble_stop._cli.logs import log_lines
from nimble_stop._cli.settings import (
    GlobalOption,
    Settings,
    global_options,
    read_settings,
    remember_words,
    spell_out_local,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_WIDEST_NAME: Final = 30


def command(
    name: str, *, examples: Sequence[str] = ()
) -> Callable[[Callable[Concatenate[Settings, ...], int]], click.Command]:
    """Make a function a command of this name; its docstring is the help, closed by examples."""

    def decorate(function: Callable[Concatenate[Settings, ...], int]) -> click.Command:
        @functools.wraps(function)
        def run(**arguments: Any) -> int:  # noqa: ANN401  # click passes what the options are
            settings = read_settings(click.get_current_context())
            return _guarded(settings, lambda: function(settings, **arguments))

        return click.command(name, cls=Command, examples=examples)(global_options(run))

    return decorate


def _guarded(settings: Settings, work: Callable[[], int]) -> int:
    """Do a command's work and give its exit code, whatever happens."""
    with log_lines() if settings.debug else nullcontext(), sigterm_as_interrupt():
        try:
            return work()
        except BrokenPipeError:
            # Whoever read our output has what they wanted.
            return ExitCode.OK
        except (ModuleNotFoundError, click.ClickException):
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # no traceback ever reaches a user
            return report(error, settings)


class Command(click.Command):
    """A command with the options of every command listed apart in its help, and examples.

    Args:
        examples: Lines that help shows as they are.
        **attributes: What click's own class takes.
    """

    def __init__(self, *, examples: Sequence[str] = (), **attributes: Any) -> None:  # noqa: ANN401  # click's own
        super().__init__(**attributes)
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command's words."""
        return super().parse_args(ctx, spell_out_local(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options in the command's help."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """End the command's help with the examples."""
        del ctx
        _write_lines(formatter, "Examples", self.examples)


class Group(click.Group):
    """The program itself, with the same manners as its commands.

    Args:
        closing: Headings and lines that end the help.
        **attributes: What click's own class takes.
    """

    def __init__(
        self,
        *,
        closing: Mapping[str, Sequence[str]],
        **attributes: Any,  # noqa: ANN401  # click's own
    ) -> None:
        super().__init__(**attributes)
        self.closing = closing

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the whole line's words, and keep them as they are."""
        remember_words(ctx, args)
        return super().parse_args(ctx, spell_out_local(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands and the options in the program's help."""
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """End the program's help with what is good to know."""
        del ctx
        for heading, lines in self.closing.items():
            _write_lines(formatter, heading, lines)


def _write_lines(formatter: click.HelpFormatter, heading: str, lines: Sequence[str]) -> None:
    """Write lines under a heading, without filling them up to paragraphs."""
    with formatter.section(heading):
        for line in lines:
            formatter.write(f"{' ' * formatter.current_indent}{line}\n")


def _write_options(
    command: click.Command, context: click.Context, formatter: click.HelpFormatter
) -> None:
    own: list[tuple[str, str]] = []
    shared: list[tuple[str, str]] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            (shared if isinstance(parameter, GlobalOption) else own).append(record)
    # In a narrow terminal the texts need the room more than the names do.
    name_width = min(_WIDEST_NAME, formatter.width // 3)
    with formatter.section("Options"):
        formatter.write_dl(own, col_max=name_width)
    with formatter.section("Options of every command"):
        formatter.write_dl(shared, col_max=name_width)
