"""``nimble-stop stop``: its options, and its stages: select the sessions, run, present."""

from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nimble_stop._cli import command
from nimble_stop._cli.connect import open_client, poll_seconds
from nimble_stop._cli.failures import ExitCode
from nimble_stop._cli.stopping.presentation import Presentation
from nimble_stop._cli.stopping.run import Run, StopOptions
from nimble_stop._cli.stopping.run_record import RunRecord
from nimble_stop._cli.stopping.selection import Selection, confirm_deletion, select, show_dry_run
from nimble_stop._cli.terminal.writing import note
from nimble_stop._config.options import DEADLINE_SECONDS, MAX_CONCURRENCY, WAIT_SECONDS
from nimble_stop.models import VolumeRetentionMode

if TYPE_CHECKING:
    from nimble_stop._call.deadline import Deadline


@click.command(
    cls=command.Command,
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
@command.filter_options
@click.option(
    "--retention",
    type=command.Words(VolumeRetentionMode, case_sensitive=False),
    metavar="|".join(VolumeRetentionMode),
    help="Keep or delete the volumes; else each session's own setting decides.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be stopped, and stop nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before volumes are deleted.")
@click.option("--wait", is_flag=True, help="Wait until they are STOPPED.")
@command.deadline_option(
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
@command.quiet_option
@click.option(
    "--run-id",
    metavar="TEXT",
    help="Names the run. Repeating a run with its id completes it, and stops nothing twice; with "
    "--all it ends well only when every session that the run has named is STOPPED. Use a new id "
    "for a new night: the same one does not stop a session that was started again.",
)
@click.pass_obj
def stop(
    shared: command.GlobalOptions,
    /,
    studio_id: str,
    session_ids: tuple[str, ...],
    *,
    everything: bool,
    retention: str | None,
    dry_run: bool,
    yes: bool,
    wait: bool,
    deadline: Deadline | None,
    max_concurrency: int,
    fail_fast: bool,
    quiet: bool,
    run_id: str | None,
    **filters: Any,  # noqa: ANN401  # those of `Filters`
) -> int:
    """Stop sessions.

    Stops those that are named, those whose ids come on standard input (-), or --all. An id on
    standard input is a line up to its first tab. Of one session that is named, the result is the
    session; of several, a result for each.
    """
    if run_id == "":
        raise click.UsageError("--run-id must not be empty.")
    resumed = run_id is not None
    # A new one says when the run began.
    run_id = run_id or f"stop-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    selection = Selection(
        studio_id=studio_id,
        session_ids=session_ids,
        everything=everything,
        filters=command.Filters(**filters),
        resumed=resumed,
    )
    to_confirm = retention == VolumeRetentionMode.DELETE and not yes and not dry_run
    if to_confirm and (selection.from_stdin or not sys.stdin.isatty()):
        raise click.UsageError(
            "--retention DELETE deletes volumes for good, and without a terminal nobody can be "
            "asked; confirm with --yes."
        )
    presentation = Presentation(
        shared=shared, quiet=quiet, run_id=run_id, from_stdin=selection.from_stdin
    )
    with open_client(shared, deadline=deadline) as client:
        # A store of --local keeps its name on every port.
        store = None if shared.local is None else Path(shared.local).resolve().as_uri()
        record = RunRecord(store or client.endpoint_url, studio_id, run_id)
        named_before = record.read() if resumed and not shared.in_memory else ()
        if dry_run:
            return show_dry_run(client, selection, named_before, retention, shared.output)
        targets = select(client, selection, named_before)
        if not (targets.to_stop or targets.settled):
            return presentation.nothing(selection)
        ids = tuple(targets.to_stop)
        if to_confirm and ids and not confirm_deletion(studio_id, ids):
            note("Nothing was stopped.")
            return ExitCode.INTERRUPTED
        if (resumed or everything) and not shared.in_memory:
            record.add(ids)
        options = StopOptions(
            client=client,
            studio_id=studio_id,
            run_id=run_id,
            resumed=resumed,
            retention=retention,
            wait=wait,
            max_concurrency=max_concurrency,
            fail_fast=fail_fast,
            poll_seconds=poll_seconds(shared),
            deadline=deadline,
        )
        if selection.single is not None:
            return presentation.one(options, selection.single)
        return presentation.many(Run(options, targets))
