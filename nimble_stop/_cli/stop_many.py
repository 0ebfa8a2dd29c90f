"""Stopping several sessions in one run."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.failures import ExitCode, SomeFailedError, report
from nimble_stop._cli.interruption import ending_early
from nimble_stop._cli.order import explain_restart, resume_advice
from nimble_stop._cli.output import Output, folded, note, write_rows
from nimble_stop._cli.picture import show_run
from nimble_stop._cli.tally import Tally
from nimble_stop._cli.text import counted, duration, printable
from nimble_stop.exceptions import ConfigurationError, ConflictException, DeadlineExceededError

if TYPE_CHECKING:
    from nimble_stop import NimbleClient, StopResult
    from nimble_stop._cli.interruption import Ending
    from nimble_stop._cli.order import Order
    from nimble_stop._cli.settings import Settings
    from nimble_stop._cli.targets import Targets


def stop_many(client: NimbleClient, order: Order, settings: Settings, targets: Targets) -> ExitCode:
    """Stop sessions, show how it goes, and tell what became of them.

    Raises:
        ConfigurationError: There are no credentials; nothing was sent.
    """
    tally = Tally(len(targets.session_ids))
    if settings.output is Output.TABLE:
        # Should the program be killed, this is what the run can be resumed with.
        text = f"Run {printable(order.run_id)}: {counted(tally.total, 'session')} to stop."
        note(folded(text))
    try:
        ending = _run(client, order, settings, targets, tally)
    except (KeyboardInterrupt, OSError) as error:
        _write_summary(order, settings, tally)
        return report(error, settings, next_step=resume_advice(order, settings))
    _write_summary(order, settings, tally)
    return _conclude(order, settings, tally, ending)


def _run(
    client: NimbleClient, order: Order, settings: Settings, targets: Targets, tally: Tally
) -> Ending:
    with (
        client.stop_sessions(
            order.studio_id,
            tally.feed(targets.session_ids),
            retention=order.retention,
            run_id=order.run_id,
            max_concurrency=order.max_concurrency,
            wait=order.wait,
        ) as run,
        show_run(tally, order.run_id, settings) as view,
        ending_early(run.cancel, order.deadline, view.say) as ending,
    ):
        for raw in run:
            result = _somebody_elses(raw, targets)
            if isinstance(result.error, ConfigurationError):
                raise result.error
            if result.error is not None:
                explain_restart(result.error, order)
            tally.add(result)
            view.show(result)
            if result.error is not None and order.fail_fast:
                run.cancel()
    return ending


def _somebody_elses(result: StopResult, targets: Targets) -> StopResult:
    """Take it well that a session which was being stopped already belongs to another run."""
    session = targets.stopping.get(result.session_id)
    if session is not None and isinstance(result.error, ConflictException):
        return attrs.evolve(result, session=session, error=None)
    return result


def _write_summary(order: Order, settings: Settings, tally: Tally) -> None:
    if settings.output is Output.TABLE:
        with suppress(OSError):
            write_rows(tally.summary(order.studio_id, order.run_id), stream=sys.stderr)


def _conclude(order: Order, settings: Settings, tally: Tally, ending: Ending) -> ExitCode:
    """Choose the exit code, and say what to do next when not all is done."""
    resume = resume_advice(order, settings)
    if ending.interrupted:
        return report(KeyboardInterrupt(), settings, next_step=resume)
    if ending.deadline_exceeded or tally.deadline_exceeded:
        limit = f"of {duration(order.deadline)} " if order.deadline is not None else ""
        return report(
            DeadlineExceededError(f"The deadline {limit}is over: {tally.counts}."),
            settings,
            next_step=resume,
        )
    if tally.ended - tally.failed < tally.total:
        message = f"Of {counted(tally.total, 'session')}: {tally.shortfall}."
        return report(
            SomeFailedError(message),
            settings,
            next_step=resume_advice(order, settings, "To try those again"),
        )
    return ExitCode.OK
