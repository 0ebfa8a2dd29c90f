"""``nimble-stop serve``: the embedded endpoint for other programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nimble_stop._cli.command import command
from nimble_stop._cli.global_options import usage_error

if TYPE_CHECKING:
    from nimble_stop._cli.global_options import GlobalOptions


@command(
    "serve",
    examples=(
        "nimble-stop serve --sample --transition-seconds 2",
        "nimble-stop serve --port 8080 --db studio.db",
    ),
)
@click.option("--host", metavar="ADDRESS", help="Where to listen.  [default: 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="NUMBER",
    help="The port; a free one if not given.",
)
@click.option(
    "--db",
    metavar="FILE",
    help="Keep the sessions in this file over restarts; else they are gone afterwards.",
)
@click.option(
    "--transition-seconds",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long a state such as STOP_IN_PROGRESS lasts.  [default: 0]",
)
@click.option("--access-key-id", metavar="ID", help="The access key that is accepted.")
@click.option("--secret-access-key", metavar="KEY", help="Its secret part.")
@click.option(
    "--faults",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Let things go wrong as this JSON file says.",
)
@click.option("--sample", is_flag=True, help="Add the sample studio when there are no sessions.")
def serve(shared: GlobalOptions, **options: Any) -> int:  # noqa: ANN401  # passed on as they are
    """Serve the embedded endpoint until Ctrl-C or SIGTERM.

    Standard output gets the lines that lead a client of this API here; each request is a line on
    standard error. --region is the region that requests must be signed for.
    """
    if shared.local is not None or shared.endpoint_url or shared.profile_name:
        raise usage_error(
            "serve is an endpoint itself: --local, --endpoint-url and --profile are for the "
            "other commands. To keep the sessions in a file, use --db FILE."
        )
    given = {name: value for name, value in options.items() if value is not None}
    if shared.region_name is not None:
        given["region_name"] = shared.region_name
    _serve(given)
    return 0


def _serve(given: dict[str, Any]) -> None:
    from nimble_stop.exceptions import ConfigurationError
    from nimble_stop.local import AccessKey, LocalNimble, RequestRecord
    from nimble_stop.local.endpoint_options import DEFAULT_KEY
    from nimble_stop.local.serve import LineWriter, serve as serve_until_signal

    def write_environment(local: LocalNimble) -> None:
        click.echo(local.environment_changes().render("export"), nl=False)
        log.write_line(f"Serving on {local.endpoint_url}; stop with Ctrl-C.")

    def write_record(record: RequestRecord) -> None:
        log.write_line(f"{record.time:%H:%M:%S} {record} ({record.seconds * 1000:.1f} ms)")

    log = LineWriter(sys.stderr)
    key = AccessKey(
        given.pop("access_key_id", DEFAULT_KEY.access_key_id),
        given.pop("secret_access_key", DEFAULT_KEY.secret_access_key),
    )
    try:
        local = LocalNimble(**given, credentials=key, on_request=write_record)
        serve_until_signal(local, on_ready=write_environment)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"The endpoint cannot be set up: {error}.") from error
    finally:
        log.close()
