"""The options that every command has, before its name or after it.

The rule of this module: an option is understood in both places, and the one nearer to the end of
the line wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import click

from nimble_stop._cli.terminal.writing import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_IN_MEMORY: Final = ":memory:"
_KEY: Final = "nimble_stop.global_options"
_WORDS: Final = "nimble_stop.words"


@attrs.frozen(kw_only=True)
class GlobalOptions:
    """What the options that every command has were set to.

    Args:
        region_name: ``--region``.
        profile_name: ``--profile``.
        endpoint_url: ``--endpoint-url``.
        local: The embedded endpoint's store, or None when it is not asked for.
        output: What standard output is written for.
        debug: Whether log lines and tracebacks are shown.
        words: The whole command line as it was typed, behind the program's name.
    """

    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None
    local: str | None = None
    output: Output = Output.TABLE
    debug: bool = False
    words: tuple[str, ...] = ()

    @property
    def in_memory(self) -> bool:
        """Whether the endpoint and all its sessions end with the command."""
        return self.local == _IN_MEMORY


def remember_words(context: click.Context, words: Sequence[str]) -> None:
    """Keep the whole command line for `GlobalOptions.words`."""
    context.meta[_WORDS] = tuple(words)


def usage_error(message: str) -> click.UsageError:
    """Make the error of a command line that contradicts itself, with the command's usage."""
    return click.UsageError(message, click.get_current_context(silent=True))


def read_global_options(context: click.Context) -> GlobalOptions:
    """Read the global options of the command that a context is for.

    Raises:
        click.UsageError: Two of them exclude each other.
    """
    options = GlobalOptions(**context.meta.get(_KEY, {}), words=context.meta.get(_WORDS, ()))
    other = "--endpoint-url" if options.endpoint_url is not None else "--profile"
    if options.local is not None and (options.endpoint_url or options.profile_name) is not None:
        raise click.UsageError(
            f"--local brings its own endpoint and credentials; leave {other} out.", context
        )
    return options


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401  # whatever the option's type makes
        if value == "" and name == "local":
            raise click.BadParameter("a file name is missing behind '='.", context, parameter)
        if name == "output" and value is not None:
            value = Output(value.lower())
        if value is not None and value is not False:
            context.meta.setdefault(_KEY, {})[name] = value

    return callback


class SharedOption(click.Option):
    """An option that every command has; help lists them apart."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Spell an optional value as it must be typed: without a space before its sign."""
        record = super().get_help_record(ctx)
        return record and (record[0].replace(" [=", "[="), record[1])


def global_options(function: _Function) -> _Function:
    """Give a command the options that every command has."""
    for flags, name, attributes in reversed(_OPTIONS):
        option = click.option(
            *flags, cls=SharedOption, expose_value=False, callback=_remember(name), **attributes
        )
        function = option(function)
    return function


_OPTIONS: Final[tuple[tuple[tuple[str, ...], str, dict[str, Any]], ...]] = (
    (
        ("--region",),
        "region_name",
        {"metavar": "NAME", "help": "AWS region, such as us-west-2."},
    ),
    (("--profile",), "profile_name", {"metavar": "NAME", "help": "Profile in AWS's files."}),
    (
        ("--endpoint-url",),
        "endpoint_url",
        {"metavar": "URL", "help": "Where requests go, in place of AWS's own host."},
    ),
    (
        ("--local",),
        "local",
        {
            # The value is optional; see `spell_out_local`.
            "metavar": "[=FILE]",
            "help": "Run the embedded endpoint inside this command, with a sample studio. "
            "FILE keeps its sessions; without it they are gone afterwards.",
        },
    ),
    (
        ("--output",),
        "output",
        {
            "type": click.Choice([str(output) for output in Output], case_sensitive=False),
            "help": "What to write: a table for people (the default), JSON, or a JSON line each.",
        },
    ),
    (
        ("--debug",),
        "debug",
        {"is_flag": True, "help": "Show log lines, and tracebacks of errors. No secrets."},
    ),
)


def spell_out_local(arguments: list[str]) -> list[str]:
    """Give ``--local`` its value where it has none.

    click would take the next word for it, be it the command's name.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [
        f"--local={_IN_MEMORY}" if word == "--local" and place < end else word
        for place, word in enumerate(arguments)
    ]
