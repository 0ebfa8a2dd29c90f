"""``nimble-stop serve``: the embedded endpoint for other programs."""

from __future__ import annotations

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
    from nimble_stop.local.serve import serve as serve_until_signal

    given = {name: value for name, value in options.items() if value is not None}
    if shared.region_name is not None:
        given["region_name"] = shared.region_name
    serve_until_signal(**given)
    return 0
