"""``nimble-stop serve``: the embedded endpoint for other programs, or for one that it runs."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from nimble_stop._cli.child_process import child_runner
from nimble_stop._cli.command import Command, GlobalOptions
from nimble_stop._cli.terminal.writing import SCHEMA_VERSION, Output, note, to_json, write
from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from nimble_stop.local import LocalNimble, RequestRecord

# What is checked before anything is loaded; the rest is the endpoint's own to check.
_TYPES: Final[dict[str, click.ParamType[Any, Any]]] = {
    "port": click.IntRange(0, 65535),
    "transition_seconds": click.FloatRange(min=0),
    "seed": click.Path(exists=True, dir_okay=False),
    "faults": click.Path(exists=True, dir_okay=False),
}
# A line in the place of requests that a slow reader has lost.
_DROPPED: Final = f'{{{{"schemaVersion": {SCHEMA_VERSION}, "dropped": {{count}}}}}}'


class ServeCommand(Command):
    """A command that has the endpoint's options, which are loaded when somebody asks for them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*_endpoint_options(), *super().get_params(ctx)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Those of COMMAND are not ours to parse.
        words = args[args.index("--") + 1 :] if "--" in args else []
        rest = super().parse_args(ctx, args)
        if list(ctx.params["command_words"]) != words:
            raise click.UsageError("put -- before COMMAND, and options before --.", ctx)
        return rest


def _endpoint_options() -> list[click.Parameter]:
    from nimble_stop.local import EndpointOptions, EnvironmentFormat

    environment = click.Option(
        ["--env-format"],
        type=click.Choice([str(each) for each in EnvironmentFormat]),
        default=str(EnvironmentFormat.EXPORT),
        show_default=True,
        help="How the environment is written.",
    )
    # --region is an option of every command.
    offered = [
        _option(field)
        for field in attrs.fields(EndpointOptions)
        if "help" in field.metadata and field.name != "region_name"
    ]
    return [*offered, environment]


def _option(field: attrs.Attribute[Any]) -> click.Option:
    flag = "--" + field.name.replace("_", "-")
    text: str = field.metadata["help"]
    if isinstance(field.default, bool):
        names = f"{flag}/--no-{flag[2:]}" if field.default else flag
        return click.Option([names], is_flag=True, default=None, help=text)
    repeated: str | None = field.metadata["flag"]
    default = f"  [default: {field.default}]" if field.default not in (None, ()) else ""
    return click.Option(
        [repeated or flag, field.name],
        multiple=repeated is not None,
        type=_TYPES.get(field.name, click.STRING),
        metavar=field.metadata["metavar"],
        help=f"{text}{default}",
    )


@click.command(
    cls=ServeCommand,
    context_settings={"allow_interspersed_args": False},
    examples=(
        "nimble-stop serve --sample --transition-seconds 2",
        "nimble-stop serve --port 8080 --db studio.db",
        "nimble-stop serve --seed sessions.json -- npm test",
        "nimble-stop serve --port 8080 --output jsonl",
    ),
)
@click.argument("command_words", nargs=-1, metavar="[-- COMMAND ARGS...]", type=click.UNPROCESSED)
@click.option("--access-key-id", metavar="ID", help="The access key that is accepted.")
@click.option("--secret-access-key", metavar="KEY", help="Its secret part.")
@click.pass_obj
def serve(
    shared: GlobalOptions,
    /,
    command_words: tuple[str, ...],
    env_format: str,
    **options: Any,  # noqa: ANN401  # those of the endpoint
) -> int:
    """Serve the embedded endpoint until Ctrl-C or SIGTERM, or as long as COMMAND runs.

    Standard output gets the lines that lead a client of this API here; each request is a line on
    standard error. --output jsonl writes each request to standard output as a JSON object, and
    those lines to standard error. --region is the region that requests must be signed for.

    COMMAND is run in the environment that leads here, with standard output for itself. It gets the
    signals that this program gets, and its exit code is passed on: 128 and the signal's number when
    a signal has ended it.
    """
    _check(shared, command_words)
    options["region_name"] = shared.region_name
    given = {name: value for name, value in options.items() if value is not None}
    if not command_words:
        _serve_until_signal(given, shared.output, env_format)
        return 0
    program = shutil.which(command_words[0])
    if program is None:
        raise click.UsageError(f"there is no program {command_words[0]!r} that can be run.")
    with child_runner() as run, _setting_up(), _make_endpoint(given) as local:
        _note_address(local)
        return run(program, command_words, local.environment_changes().applied_to(os.environ))


def _check(shared: GlobalOptions, command_words: Sequence[str]) -> None:
    if shared.local is not None or shared.endpoint_url or shared.profile_name:
        raise click.UsageError(
            "serve is an endpoint itself: --local, --endpoint-url and --profile are for the "
            "other commands. To keep the sessions in a file, use --db FILE."
        )
    if shared.output is Output.JSON:
        raise click.UsageError(
            "requests have no end, so they are written one a line: --output jsonl."
        )
    if shared.output is Output.JSONL and command_words:
        raise click.UsageError("COMMAND has standard output for itself; leave --output jsonl out.")


def _serve_until_signal(given: dict[str, Any], output: Output, env_format: str) -> None:
    from nimble_stop.local.serve import LineWriter, serve as serve_local

    for_programs = output is Output.JSONL
    lines = LineWriter(sys.stdout, dropped=_DROPPED) if for_programs else LineWriter(sys.stderr)

    def write_environment(local: LocalNimble) -> None:
        text = local.environment_changes().render(env_format)
        write(text, sys.stderr if for_programs else sys.stdout, end=False)
        _note_address(local)
        note("Stop with Ctrl-C.")

    def write_record(record: RequestRecord) -> None:
        text = f"{record.time:%H:%M:%S} {record} ({record.seconds * 1000:.1f} ms)"
        lines.write_line(to_json(record.to_dict()) if for_programs else text)

    try:
        with _setting_up():
            serve_local(_make_endpoint(given, write_record), on_ready=write_environment)
    finally:
        lines.close()


def _make_endpoint(
    given: dict[str, Any], on_request: Callable[[RequestRecord], None] | None = None
) -> LocalNimble:
    from nimble_stop.local import AccessKey, LocalNimble
    from nimble_stop.local.endpoint_options import DEFAULT_KEY

    try:
        key = AccessKey(
            given.pop("access_key_id", DEFAULT_KEY.access_key_id),
            given.pop("secret_access_key", DEFAULT_KEY.secret_access_key),
        )
        return LocalNimble(**given, credentials=key, on_request=on_request)
    except (TypeError, ValueError) as error:
        raise click.UsageError(f"{error}.") from error
    except ConfigurationError as error:
        if "host" in given:
            error.add_note("Here these are --admin-token TOKEN and --no-admin.")
        raise


@contextmanager
def _setting_up() -> Generator[None]:
    """Report what the endpoint cannot be set up with as an error of the configuration."""
    try:
        yield
    except ConfigurationError as error:
        if not hasattr(error, "__notes__"):
            error.add_note("Correct it, then serve again.")
        raise
    except (TypeError, ValueError) as error:
        refusal = ConfigurationError(f"The endpoint cannot be set up: {error}.")
        refusal.add_note("Correct it, then serve again.")
        raise refusal from error


def _note_address(local: LocalNimble) -> None:
    note(f"Serving on {local.endpoint_url}")
    if local.options.admin:
        note(f"Live page: {local.endpoint_url}/_nimble-stop/")
