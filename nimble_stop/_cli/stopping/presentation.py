"""The last stage of ``stop``: show the results, and end with the exit code or the error.

Of a run there is a live display in a terminal, and lines elsewhere. One that did not stop
everything ends in a `CommandError` that has the command to go on with.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from nimble_stop._cli.connect import explain_answer
from nimble_stop._cli.failures import CommandError, ExitCode
from nimble_stop._cli.stopping.counts import Counts
from nimble_stop._cli.stopping.single import stop_one
from nimble_stop._cli.terminal.documents import document_of, result_document
from nimble_stop._cli.terminal.states import show_states
from nimble_stop._cli.terminal.text import counted, printable, volumes
from nimble_stop._cli.terminal.wording import SomeFailedError, advice, headline
from nimble_stop._cli.terminal.writing import (
    Output,
    console,
    folded,
    is_terminal,
    json_writer,
    note,
    write,
    write_json,
    write_rows,
)
from nimble_stop.exceptions import DeadlineExceededError, NimbleStopError
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from rich.console import Console, RenderableType

    from nimble_stop import NimbleClient, StopResult
    from nimble_stop._cli.stopping.resuming import ResumeHint
    from nimble_stop._cli.stopping.run import Run
    from nimble_stop._cli.stopping.selection import Selection, Targets
    from nimble_stop._cli.stopping.single import StopOptions

Show: TypeAlias = "Callable[[StopResult], None]"

# Of more sessions than that a terminal shows the failures only; the counts have the rest.
_MOST_LINES: Final = 20
_REFRESH_PER_SECOND: Final = 5


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

    def one(
        self, client: NimbleClient, studio_id: str, session_id: str, options: StopOptions
    ) -> ExitCode:
        """Stop a session, show the states that it goes through, and what became of it."""
        say = note if self._talks else _say_nothing
        try:
            with show_states(session_id, quiet=not self._talks, plain=self.debug) as history:
                session = stop_one(
                    client, studio_id, session_id, options, on_read=history.add, say=say
                )
        except KeyboardInterrupt as error:
            raise CommandError(error, self.hint.text()) from error
        except NimbleStopError as error:
            options.run_id.explain(error)
            explain_answer(error, client)
            if error.outcome_unknown or error.retryable:
                raise CommandError(error, self.hint.text()) from error
            raise
        if self.output is not Output.TABLE:
            write_json(document_of(session), self.output)
        elif self._talks:
            history.write(session)
        return ExitCode.OK

    def many(self, run: Run) -> ExitCode:
        """Make a run, show how it goes on, and what became of the sessions."""
        targets = run.targets
        counts = Counts(len(targets), len(targets.settled))
        if self._talks:
            # Should the program be killed, this is what the run can be resumed with.
            note(folded(f"Run {printable(self.hint.run_id)}: {_extent(targets)}."))
        try:
            with (
                self._live_console(counts) as live,
                self._results(counts.total, live) as show,
                run.begin(counts.feed, note if live is None else live.print) as results,
            ):
                for result in results:
                    counts.add(result)
                    show(result)
        except (KeyboardInterrupt, OSError) as error:
            raise CommandError(error, self.hint.text()) from error
        finally:
            if self._talks:
                with suppress(OSError):
                    rows = counts.rows(targets.studio_id, self.hint.run_id)
                    write_rows(rows, stream=sys.stderr)
        return self._conclude(run, counts)

    @contextmanager
    def _results(self, total: int, live: Console | None) -> Generator[Show]:
        """Show results while that is possible.

        The run goes on when they cannot be written any more, and its summary still comes.

        Raises:
            OSError: Results could not be written although somebody reads them; after the run.
        """
        failure: OSError | None = None

        def show_while_possible(result: StopResult) -> None:
            nonlocal failure
            if failure is None:
                try:
                    show(result)
                except OSError as error:
                    failure = error

        with suppress(BrokenPipeError), self._writer(total, live) as show:
            yield show_while_possible
            if failure is not None:
                raise failure

    @contextmanager
    def _writer(self, total: int, live: Console | None) -> Generator[Show]:
        if self.output is not Output.TABLE:
            with json_writer(self.output) as write_object:
                yield lambda result: write_object(result_document(result, self.hint.run_id))
        elif live is not None and is_terminal(sys.stdout):
            yield lambda result: _print_above(live, result, total)
        else:
            yield (
                lambda result: (
                    None if self.quiet and result.error is None else write(result_line(result))
                )
            )

    @contextmanager
    def _live_console(self, counts: Counts) -> Generator[Console | None]:
        """Show the live display, if there is a terminal that nothing else is written to."""
        mixed = self.output is not Output.TABLE and is_terminal(sys.stdout)
        if self.debug or self.quiet or mixed or not is_terminal(sys.stderr):
            yield None
            return
        from rich.progress import BarColumn, Progress
        from rich.text import Text

        class RunProgress(Progress):
            """A bar with the pace and the counts below it, as they are at each refresh."""

            def get_renderables(self) -> Iterator[RenderableType]:
                for task in self.task_ids:
                    self.update(task, completed=counts.ended)
                yield self.make_tasks_table(self.tasks)
                yield Text(counts.pace)
                yield Text(counts.in_words, "dim")

        terminal = console(sys.stderr)
        progress = RunProgress(
            BarColumn(bar_width=None),
            console=terminal,
            expand=True,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        progress.add_task("", total=counts.total)
        with progress:
            yield terminal

    def _conclude(self, run: Run, counts: Counts) -> ExitCode:
        """Choose the exit code, or the error that says what to do next.

        Raises:
            CommandError: Not everything is done.
        """
        if run.ending.interrupted:
            raise CommandError(KeyboardInterrupt(), self.hint.text())
        if run.ending.deadline_exceeded or counts.deadline_exceeded:
            limit = run.options.deadline or "The deadline"
            error = DeadlineExceededError(f"{limit} is over: {counts.in_words}.")
            raise CommandError(error, self.hint.text())
        if counts.stopped < counts.total:
            text = f"Of {counted(counts.total, 'session')}: {counts.shortfall}."
            raise CommandError(SomeFailedError(text), self._next_step(counts))
        return ExitCode.OK

    def _next_step(self, counts: Counts) -> str:
        """Say how those are tried again that a repetition can stop."""
        hopeful = counts.total - counts.stopped - counts.final
        which = f"{hopeful:,} of those" if counts.final else "those"
        return self.hint.text(f"To try {which} again") if hopeful else ""


def _say_nothing(text: str) -> None:
    del text


def _print_above(live: Console, result: StopResult, total: int) -> None:
    from rich.text import Text

    if result.error is not None:
        live.print(Text(result_line(result), "red"))
    elif total <= _MOST_LINES:
        live.print(Text(result_line(result)))


def result_line(result: StopResult) -> str:
    """Describe one session's result on one line."""
    name = printable(result.session_id)
    if result.error is not None:
        return f"{name}: failed: {headline(result.error)} {advice(result.error)}"
    session = result.session or StreamingSession()
    again = ", by this run before" if result.repeated else ""
    return f"{name}: {printable(session.state or 'UNKNOWN')}{again}, volumes {volumes(session)}"


def _extent(targets: Targets) -> str:
    """Say how many sessions a run is about."""
    text = f"{counted(len(targets.session_ids), 'session')} to stop"
    if not targets.settled:
        return text
    return f"{text}, {len(targets.settled):,} named before to account for"
