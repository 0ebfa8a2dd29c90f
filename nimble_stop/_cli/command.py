"""What commands share: the options of all, those of several, and an end without a traceback.

An option of every command is understood before the command's name and after it, and the one nearer
to the end of the line wins. A command's function gets these options from ``click.pass_obj``.
"""

from __future__ import annotations

import math
import signal
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import click

from nimble_stop._call.deadline import Deadline
from nimble_stop._cli.failures import log_lines, report
from nimble_stop._cli.signals import handling
from nimble_stop._cli.terminal.writing import Output, printable
from nimble_stop._config.options import DEADLINE_SECONDS
from nimble_stop.models import StreamingSession, StreamingSessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

    from nimble_stop import NimbleClient

_Function = TypeVar("_Function", bound="Callable[..., Any]")

_IN_MEMORY: Final = ":memory:"
_WIDEST_NAME: Final = 30


@attrs.define(kw_only=True)
class GlobalOptions:
    """What the options of every command were set to as the line was parsed, and the line itself."""

    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None
    local: str | None = None
    output: Output = Output.TABLE
    debug: bool = False
    words: tuple[str, ...] = ()

    @property
    def in_memory(self) -> bool:
        """Whether the embedded endpoint and all its sessions end with the command."""
        return self.local == _IN_MEMORY


class SharedOption(click.Option):
    """An option that every command has; help lists them apart."""

    def __init__(self, *names: str, **attributes: Any) -> None:  # noqa: ANN401  # those of click
        super().__init__(names, expose_value=False, callback=_set, **attributes)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Spell an optional value as it must be typed: without a space before its sign."""
        record = super().get_help_record(ctx)
        return record and (record[0].replace(" [=", "[="), record[1])


def _set(context: click.Context, parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401  # whatever the option's type makes
    if value is None or value is False:
        return
    options = context.ensure_object(GlobalOptions)
    if parameter.name == "local" and not value:
        raise click.BadParameter("a file name is missing behind '='.")
    if parameter.name == "debug" and not options.debug:
        context.with_resource(log_lines())
    setattr(options, str(parameter.name), value)


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

    def __init__(self, *args: Any, examples: Iterable[str] = (), **attributes: Any) -> None:  # noqa: ANN401  # those of click
        super().__init__(*args, **attributes)
        self.params.extend(_SHARED_OPTIONS)
        self.epilog = self.epilog or as_written("Examples", examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
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

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ensure_object(GlobalOptions).words = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # as click has it
        """Run the command; what it raises becomes a sentence and an exit code."""
        options: GlobalOptions = ctx.obj
        # SIGTERM ends a command as Ctrl-C does: with a message, and the terminal as it was.
        with handling(signal.default_int_handler, signal.SIGTERM):
            try:
                return super().invoke(ctx)
            except (ModuleNotFoundError, click.ClickException, click.exceptions.Exit, click.Abort):
                raise
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # no traceback ever reaches a user
                return report(error, options.output, debug=options.debug)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


def as_written(heading: str, lines: Iterable[str]) -> str:
    """Make a section of an epilog, whose lines click does not wrap."""
    return "\n".join(("\b", f"{heading}:", *(f"  {line}" for line in lines)))


class Words(click.Choice[str]):
    """One of these words, which are in capitals; they are taken in any case."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        del ctx
        return str(choice).upper()


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


def _begin_deadline(_: click.Context, __: click.Parameter, given: float | None) -> Deadline | None:
    if given is not None and not math.isfinite(given):
        raise click.BadParameter(f"{given} is no number of seconds.")
    return None if given is None else Deadline(given, time.monotonic)


requests_deadline_option = deadline_option(
    f"How long the requests may take in all.  [default: {DEADLINE_SECONDS:.0f}]"
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Write only what failed, and why; JSON is written whole."
)


def _read_tag(given: str) -> tuple[str, str]:
    key, equals, value = given.partition("=")
    if not (key and equals):
        raise click.BadParameter(f"{given!r} is not of the form KEY=VALUE.")
    return key, value


def filter_options(function: _Function) -> _Function:
    """Give a command an option for each of the `Filters`."""
    for option in (
        click.option(
            "--tag",
            "tags",
            metavar="KEY=VALUE",
            multiple=True,
            type=_read_tag,
            help="Only sessions with this tag; given several times, with all of them.",
        ),
        click.option("--created-by", metavar="USER", help="Only sessions that this user created."),
        click.option("--owned-by", metavar="USER", help="Only sessions that this user owns."),
        click.option(
            "--state",
            "states",
            type=Words(StreamingSessionState, case_sensitive=False),
            metavar="STATE",
            multiple=True,
            help="Only sessions in this state, such as READY; may be given several times.",
        ),
    ):
        function = option(function)
    return function


@attrs.frozen(kw_only=True)
class Filters:
    """What sessions must be like: in one of the states if there are any, with all of the tags."""

    states: tuple[str, ...] = ()
    owned_by: str | None = None
    created_by: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def list_sessions(self, client: NimbleClient, studio_id: str) -> Iterable[StreamingSession]:
        """Read the sessions of the right persons; the service knows no other filters."""
        return client.list_sessions(studio_id, owned_by=self.owned_by, created_by=self.created_by)

    def fit(self, session: StreamingSession) -> bool:
        tags = session.tags or {}
        return (not self.states or session.state in self.states) and all(
            tags.get(key) == value for key, value in self.tags
        )

    def __str__(self) -> str:
        parts = [
            f" in {' or '.join(self.states)}" if self.states else "",
            f" owned by {self.owned_by}" if self.owned_by is not None else "",
            f" created by {self.created_by}" if self.created_by is not None else "",
            *(f" with {key}={value}" for key, value in self.tags),
        ]
        return printable("".join(parts))
