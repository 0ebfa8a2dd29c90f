"""The last stage of ``stop``: show the results, and end with the exit code or the error.

A run that did not stop everything ends in a `CommandError` that has the command to go on with.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from nimble_stop._cli.failures import CommandError, ExitCode
from nimble_stop._cli.stopping.counts import Counts, result_line
from nimble_stop._cli.terminal.documents import result_document, session_document
from nimble_stop._cli.terminal.progress import Line, show_run
from nimble_stop._cli.terminal.states import show_states, write_states
from nimble_stop._cli.terminal.text import counted, printable
from nimble_stop._cli.terminal.wording import SomeFailedError
from nimble_stop._cli.terminal.writing import (
    Output,
    folded,
    json_writer,
    note,
    write_json,
    write_rows,
)
from nimble_stop.exceptions import DeadlineExceededError, NimbleStopError

if TYPE_CHECKING:
    from nimble_stop import StopResult
    from nimble_stop._cli.stopping.resuming import ResumeHint
    from nimble_stop._cli.stopping.run import ManyStops, Run
    from nimble_stop._cli.stopping.selection import Selection, Targets
    from nimble_stop._cli.stopping.single import OneStop


@attrs.frozen(kw_only=True)
class Presentation:
    """How results are shown.

    Args:
        output: What standard output is written for.
        quiet: Whether a person reads only what failed.
        debug: Whether log lines are written too.
        hint: Says how the run is resumed.
    """

    output: Output
    quiet: bool
    debug: bool
    hint: ResumeHint

    @property
    def _talks(self) -> bool:
        """Whether a person reads what is going on."""
        return self.output is Output.TABLE and not self.quiet

    def nothing(self, selection: Selection) -> ExitCode:
        """Say that there is nothing to stop."""
        if not self.quiet:
            note(folded(f"Nothing to stop: no session{selection}."))
        if self.output is Output.JSON:
            with json_writer(self.output):
                pass
        return ExitCode.OK

    def one(self, stop: OneStop) -> ExitCode:
        """Make a stop, show the states that the session goes through, and what became of it."""
        try:
            with show_states(stop.session_id, quiet=not self._talks, plain=self.debug) as history:
                session = stop.make(history.add, note if self._talks else _say_nothing)
        except KeyboardInterrupt as error:
            raise CommandError(error, self.hint.text()) from error
        except NimbleStopError as error:
            if error.outcome_unknown or error.retryable:
                raise CommandError(error, self.hint.text()) from error
            raise
        if self.output is not Output.TABLE:
            write_json(session_document(session), self.output)
        elif self._talks:
            write_states(history, session)
        return ExitCode.OK

    def many(self, stops: ManyStops) -> ExitCode:
        """Make a run, show how it goes on, and what became of the sessions."""
        targets = stops.targets
        counts = Counts(len(targets), len(targets.settled))
        if self._talks:
            # Should the program be killed, this is what the run can be resumed with.
            note(folded(f"Run {printable(self.hint.run_id)}: {_extent(targets)}."))
        try:
            run = self._show(stops, counts)
        except (KeyboardInterrupt, OSError) as error:
            raise CommandError(error, self.hint.text()) from error
        finally:
            self._write_summary(targets.studio_id, counts)
        return self._conclude(stops, counts, run)

    def _show(self, stops: ManyStops, counts: Counts) -> Run:
        with (
            show_run(
                counts.total,
                lambda: counts.snapshot,
                self.output,
                quiet=self.quiet,
                plain=self.debug,
            ) as display,
            stops.begin(counts.feed, display.say) as run,
        ):
            for result in run.results:
                counts.add(result)
                display.show(self._line(result))
        return run

    def _line(self, result: StopResult) -> Line:
        return Line(
            result_line(result),
            result_document(result, self.hint.run_id),
            failed=result.error is not None,
        )

    def _write_summary(self, studio_id: str, counts: Counts) -> None:
        if self._talks:
            with suppress(OSError):
                write_rows(counts.rows(studio_id, self.hint.run_id), stream=sys.stderr)

    def _conclude(self, stops: ManyStops, counts: Counts, run: Run) -> ExitCode:
        """Choose the exit code, or the error that says what to do next.

        Raises:
            CommandError: Not everything is done.
        """
        if run.ending.interrupted:
            raise CommandError(KeyboardInterrupt(), self.hint.text())
        if run.ending.deadline_exceeded or counts.deadline_exceeded:
            limit = stops.options.deadline or "The deadline"
            error = DeadlineExceededError(f"{limit} is over: {counts.in_words}.")
            raise CommandError(error, self.hint.text())
        if counts.ended - counts.failed < counts.total:
            text = f"Of {counted(counts.total, 'session')}: {counts.shortfall}."
            raise CommandError(SomeFailedError(text), self._next_step(counts))
        return ExitCode.OK

    def _next_step(self, counts: Counts) -> str:
        """Say how those are tried again that a repetition can stop."""
        hopeful = counts.total - (counts.ended - counts.failed) - counts.final
        if not hopeful:
            return ""
        which = f"{hopeful:,} of those" if counts.final else "those"
        return self.hint.text(f"To try {which} again")


def _say_nothing(text: str) -> None:
    del text


def _extent(targets: Targets) -> str:
    """Say how many sessions a run is about."""
    text = f"{counted(len(targets.session_ids), 'session')} to stop"
    if not targets.settled:
        return text
    return f"{text}, {len(targets.settled):,} named before to account for"
