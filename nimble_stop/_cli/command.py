"""What makes a function a command: the options of every command, and an exit code in any case.

An option of every command is understood before the command's name and after it, and the one nearer
to the end of the line wins. A command's function gets these options first, then its own, and gives
its exit code.
"""

from __future__ import annotations

import functools
import signal
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Concatenate, Final

import attrs
import click

from nimble_stop._cli.failures import ExitCode, log_lines, report
from nimble_stop._cli.signals import handling
from nimble_stop._cli.terminal.writing import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

_IN_MEMORY: Final = ":memory:"
_OPTIONS: Final = "nimble_stop.global_options"
_WORDS: Final = "nimble_stop.words"
_WIDEST_NAME: Final = 30


@attrs.frozen(kw_only=True)
class GlobalOptions:
    """What the options that every command has were set to, and the line as it was typed."""

    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None
    local: str | None = None
    output: Output = Output.TABLE
    debug: bool = False
    words: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        other = "--endpoint-url" if self.endpoint_url is not None else "--profile"
        if self.local is not None and (self.endpoint_url or self.profile_name) is not None:
            raise click.UsageError(
                f"--local brings its own endpoint and credentials; leave {other} out."
            )

    @property
    def in_memory(self) -> bool:
        """Whether the embedded endpoint and all its sessions end with the command."""
        return self.local == _IN_MEMORY


class SharedOption(click.Option):
    """An option that every command has; help lists them apart."""

    def __init__(self, *names: str, **attributes: Any) -> None:  # noqa: ANN401  # those of click
        super().__init__(names, expose_value=False, callback=_remember, **attributes)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Spell an optional value as it must be typed: without a space before its sign."""
        record = super().get_help_record(ctx)
        return record and (record[0].replace(" [=", "[="), record[1])


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401  # whatever the option's type makes
    if value == "" and parameter.name == "local":
        raise click.BadParameter("a file name is missing behind '='.")
    if value is not None and value is not False:
        context.meta.setdefault(_OPTIONS, {})[parameter.name] = value


def _complete_next_word(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return context.command.shell_complete(context, incomplete)


_SHARED_OPTIONS: Final = (
    SharedOption("--region", "region_name", metavar="NAME", help="AWS region, such as us-west-2."),
    SharedOption("--profile", "profile_name", metavar="NAME", help="Profile in AWS's files."),
    SharedOption(
        "--endpoint-url", metavar="URL", help="Where requests go, in place of AWS's own host."
    ),
    SharedOption(
        "--local",
        # The value is optional; see `_spell_out_local`.
        metavar="[=FILE]",
        shell_complete=_complete_next_word,
        help="Run the embedded endpoint inside this command, with a sample studio. FILE keeps its "
        "sessions; without it they are gone afterwards.",
    ),
    SharedOption(
        "--output",
        type=click.Choice(Output, case_sensitive=False),
        help="What to write: a table for people (the default), JSON, or a JSON line each.",
    ),
    SharedOption(
        "--debug", is_flag=True, help="Show log lines, and tracebacks of errors. No secrets."
    ),
)


def _spell_out_local(arguments: list[str]) -> list[str]:
    """Give ``--local`` its value where it has none; click would take the next word for it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [
        f"--local={_IN_MEMORY}" if word == "--local" and place < end else word
        for place, word in enumerate(arguments)
    ]


class Command(click.Command):
    """A command that has the options of every command."""

    def __init__(self, *args: Any, **attributes: Any) -> None:  # noqa: ANN401  # those of click
        super().__init__(*args, **attributes)
        self.params.extend(_SHARED_OPTIONS)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # The program comes first; its words are the whole line.
        ctx.meta.setdefault(_WORDS, tuple(args))
        return super().parse_args(ctx, _spell_out_local(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                (shared if isinstance(parameter, SharedOption) else own).append(record)
        # In a narrow terminal the texts need the room more than the names do.
        name_width = min(_WIDEST_NAME, formatter.width // 3)
        for title, records in (("Options", own), ("Options of every command", shared)):
            with formatter.section(title):
                formatter.write_dl(records, col_max=name_width)


class Group(Command, click.Group):
    """The program itself, whose options are parsed and listed as those of its commands."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


def command(
    name: str,
    *,
    examples: Iterable[str],
    kind: type[Command] = Command,
    context_settings: dict[str, Any] | None = None,
) -> Callable[[Callable[Concatenate[GlobalOptions, ...], int]], click.Command]:
    """Make a function a command of this name; its docstring is the help, closed by examples."""

    def decorate(function: Callable[Concatenate[GlobalOptions, ...], int]) -> click.Command:
        @functools.wraps(function)
        def run(**arguments: Any) -> int:  # noqa: ANN401  # click passes what the options are
            meta = click.get_current_context().meta
            options = GlobalOptions(**meta.get(_OPTIONS, {}), words=meta[_WORDS])
            # SIGTERM ends a command as Ctrl-C does: with a message, and the terminal as it was.
            interrupted = handling(signal.default_int_handler, signal.SIGTERM)
            with log_lines() if options.debug else nullcontext(), interrupted:
                try:
                    return function(options, **arguments)
                except BrokenPipeError:
                    # The reader of our output has what it wanted.
                    return ExitCode.OK
                except (ModuleNotFoundError, click.ClickException, click.Abort):
                    raise
                except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # no traceback ever reaches a user
                    return report(error, options.output, debug=options.debug)

        epilog = as_written("Examples", examples)
        make = click.command(name, cls=kind, epilog=epilog, context_settings=context_settings)
        return make(run)

    return decorate


def as_written(heading: str, lines: Iterable[str]) -> str:
    """Make a section of an epilog, whose lines click does not wrap."""
    return "\n".join(("\b", f"{heading}:", *(f"  {line}" for line in lines)))
