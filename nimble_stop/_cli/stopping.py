"""``nimble-stop stop``: its arguments, and what is done in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nimble_stop._cli.command import command
from nimble_stop._cli.confirmation import check_confirmable, confirm_deletion
from nimble_stop._cli.connection import open_client
from nimble_stop._cli.failures import ExitCode
from nimble_stop._cli.options import deadline_option, one_of
from nimble_stop._cli.order import Order, new_run_id
from nimble_stop._cli.output import Output, folded, json_writer, note
from nimble_stop._cli.rehearsal import rehearse
from nimble_stop._cli.selection import Filters, filter_options
from nimble_stop._cli.stop_many import stop_many
from nimble_stop._cli.stop_one import stop_one
from nimble_stop._cli.targets import find_targets
from nimble_stop._cli.text import printable
from nimble_stop._config.options import DEADLINE_SECONDS, MAX_CONCURRENCY, WAIT_SECONDS
from nimble_stop.models import VolumeRetentionMode

if TYPE_CHECKING:
    from nimble_stop import NimbleClient
    from nimble_stop._cli.settings import Settings


@command(
    "stop",
    examples=(
        "nimble-stop stop studio-1 session-1 --wait",
        "nimble-stop stop studio-1 session-1 session-2 --retention RETAIN",
        "nimble-stop stop studio-1 --all --tag department=lighting --dry-run",
        "nimble-stop list studio-1 --owned-by amara | nimble-stop stop studio-1 -",
        "nimble-stop --local stop demo-studio --all --wait",
    ),
)
@click.argument("studio_id")
@click.argument("session_ids", nargs=-1, metavar="[SESSION_ID... | -]")
@click.option("--all", "everything", is_flag=True, help="All READY sessions of the studio.")
@filter_options
@click.option(
    "--retention",
    **one_of(VolumeRetentionMode),
    metavar="|".join(VolumeRetentionMode),
    help="Keep or delete the volumes; else each session's own setting decides.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be stopped, and stop nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before volumes are deleted.")
@click.option("--wait", is_flag=True, help="Wait until they are STOPPED.")
@deadline_option(
    f"How long everything may take. Else {DEADLINE_SECONDS:.0f} seconds a request, and "
    f"{WAIT_SECONDS:.0f} to wait for a session."
)
@click.option(
    "--max-concurrency",
    type=click.IntRange(min=1),
    default=MAX_CONCURRENCY,
    metavar="NUMBER",
    help=f"How many stops are under way at a time.  [default: {MAX_CONCURRENCY}]",
)
@click.option("--fail-fast", is_flag=True, help="Begin no further stop after a failure.")
@click.option(
    "--run-id",
    metavar="TEXT",
    help="Names the run. Repeating a run with its id completes it, and stops nothing twice. Use a "
    "new id for a new night: the same one does not stop a session that was started again.",
)
def stop(settings: Settings, **options: Any) -> int:  # noqa: ANN401  # gathered in an Order
    """Stop sessions.

    Stops those that are named, those whose ids come on standard input (-), or --all. An id on
    standard input is a line up to its first tab. Of one session that is named, the result is the
    session; of several, a result for each.
    """
    order = _order(options)
    check_confirmable(order)
    with open_client(settings, deadline=order.deadline) as client:
        if order.dry_run:
            return rehearse(client, order, settings)
        return _stop(client, order, settings)


def _order(options: dict[str, Any]) -> Order:
    names = ("states", "owned_by", "created_by", "tags")
    filters = Filters.from_options({name: options.pop(name) for name in names})
    given = options.pop("run_id")
    run_id = new_run_id() if given is None else given
    return Order(**options, filters=filters, run_id=run_id, resumed=given is not None)


def _stop(client: NimbleClient, order: Order, settings: Settings) -> int:
    targets = find_targets(client, order)
    if not targets.session_ids:
        _tell_nothing(order, settings)
        return ExitCode.OK
    if not confirm_deletion(order, targets.session_ids):
        note("Nothing was stopped.")
        return ExitCode.INTERRUPTED
    if order.single is not None:
        return stop_one(client, order, settings, order.single)
    return stop_many(client, order, settings, targets)


def _tell_nothing(order: Order, settings: Settings) -> None:
    where = " named"
    if order.everything:
        ready = "" if order.filters.states else " READY"
        where = f"{ready} in {printable(order.studio_id)}{order.filters}"
    note(folded(f"Nothing to stop: no session{where}."))
    if settings.output is Output.JSON:
        with json_writer(settings.output):
            pass
