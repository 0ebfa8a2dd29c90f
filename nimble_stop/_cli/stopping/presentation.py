"""The last stage of ``stop``: show the results, and end with the exit code or the error.

Of a run there is a live display in a terminal, and lines elsewhere. One that did not stop
everything ends in a `CommandError` that has the command to go on with.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import attrs

from nimble_stop._cli import failures
from nimble_stop._cli.stopping.run import Counts, OneSession, Run, StopOptions
from nimble_stop._cli.terminal import writing
from nimble_stop._cli.terminal.session_tables import duration, show_states, volumes
from nimble_stop.exceptions import DeadlineExceededError, NimbleStopError
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from rich.console import Console, Group

    from nimble_stop import StopResult
    from nimble_stop._cli.command import GlobalOptions
    from nimble_stop._cli.stopping.selection import Selection

# Of more sessions than that a terminal shows the failures only; the counts have the rest.
_MOST_LINES: Final = 20
_REFRESH_PER_SECOND: Final = 5
# From fewer sessions nothing is to be learned about the others.
_ENOUGH: Final = 5


@attrs.frozen(kw_only=True)
class Presentation:
    """How results are shown; ``quiet`` leaves a person only what failed.

    ``from_stdin`` is whether the ids came on standard input, and are needed there again.
    """

    shared: GlobalOptions
    quiet: bool
    run_id: str
    from_stdin: bool

    @property
    def _for_people(self) -> bool:
        return self.shared.output is writing.Output.TABLE

    def _say(self, text: str) -> None:
        if self._for_people and not self.quiet:
            writing.note(text)

    def hint(self, purpose: str = "To resume") -> str:
        """Say how the run is resumed, if it can be: with the same command line, and its id."""
        if self.shared.in_memory:
            return "The embedded endpoint was in memory and is gone; --local=FILE keeps it."
        source = " with the same ids on standard input" if self.from_stdin else ""
        return f"{purpose}{source}: {command_to_resume(self.shared.words, self.run_id)}"

    def nothing(self, selection: Selection) -> failures.ExitCode:
        if not self.quiet:
            writing.note(f"Nothing to stop: no session{selection}.")
        if self.shared.output is writing.Output.JSON:
            writing.write("[]")
        return failures.ExitCode.OK

    def one(self, options: StopOptions, session_id: str) -> failures.ExitCode:
        """Stop a session, show the states that it goes through, and what became of it."""
        shared = self.shared
        try:
            with show_states(
                session_id, shared.output, quiet=self.quiet, plain=shared.debug
            ) as history:
                named = OneSession(options.client, options.studio_id, session_id, history.add)
                named.stop(options, self._say)
        except KeyboardInterrupt as error:
            raise failures.CommandError(error, self.hint()) from error
        except NimbleStopError as error:
            options.explain(error)
            if error.outcome_unknown or error.retryable:
                raise failures.CommandError(error, self.hint()) from error
            raise
        return failures.ExitCode.OK

    def many(self, run: Run) -> failures.ExitCode:
        """Make a run, show how it goes on, and what became of the sessions.

        It goes on when results cannot be written any more, and its summary still comes.
        """
        began, settled = monotonic(), len(run.targets.settled)
        to_stop = writing.counted(len(run.targets.to_stop), "session")
        before = f", {settled:,} named before to account for" if settled else ""
        # Should the program be killed, this is what the run can be resumed with.
        self._say(f"Run {writing.printable(self.run_id)}: {to_stop} to stop{before}.")
        try:
            self._show(run)
        except (KeyboardInterrupt, OSError) as error:
            raise failures.CommandError(error, self.hint()) from error
        finally:
            if self._for_people and not self.quiet:
                rows = run.counts.rows(run.options.studio_id, self.run_id, monotonic() - began)
                with suppress(OSError):
                    writing.write_rows(rows, stream=sys.stderr)
        return self._conclude(run)

    def _show(self, run: Run) -> None:
        failure: OSError | None = None
        with (
            self._live_display(run.counts) as live,
            suppress(BrokenPipeError),
            self._writer(run.counts.total, live) as show,
            run.begin(live.print if live else writing.note) as results,
        ):
            for result in results:
                left_out = self.quiet and self._for_people and result.error is None
                try:
                    if failure is None and not left_out:
                        show(result)
                except OSError as error:
                    failure = error
            if failure is not None:
                raise failure

    def _writer(
        self, total: int, live: Console | None
    ) -> AbstractContextManager[Callable[[StopResult], None]]:
        if live is not None and writing.is_terminal(sys.stdout):
            return nullcontext(partial(_print_above, live, total))
        return writing.values_writer(
            self.shared.output, result_line, partial(result_document, run_id=self.run_id)
        )

    @contextmanager
    def _live_display(self, counts: Counts) -> Generator[Console | None]:
        """Show how far the run is, if there is a terminal that nothing else is written to."""
        mixed = not self._for_people and writing.is_terminal(sys.stdout)
        if self.shared.debug or self.quiet or mixed or not writing.is_terminal(sys.stderr):
            yield None
            return
        from rich.live import Live

        with Live(
            RunProgress(counts),
            console=writing.console(sys.stderr),
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live:
            yield live.console

    def _conclude(self, run: Run) -> failures.ExitCode:
        """Choose the exit code, or raise the error that says what to do next."""
        counts = run.counts
        if run.ending.interrupted:
            raise failures.CommandError(KeyboardInterrupt(), self.hint())
        if run.ending.deadline_exceeded or counts.deadline_exceeded:
            limit = run.options.deadline or "The deadline"
            error = DeadlineExceededError(f"{limit} is over: {counts.in_words}.")
            raise failures.CommandError(error, self.hint())
        if counts.stopped < counts.total:
            text = f"Of {writing.counted(counts.total, 'session')}: {counts.shortfall}."
            # Those that a repetition can stop are tried again.
            hopeful = counts.total - counts.stopped - counts.final
            which = f"{hopeful:,} of those" if counts.final else "those"
            again = self.hint(f"To try {which} again") if hopeful else ""
            raise failures.CommandError(failures.SomeFailedError(text), again)
        return failures.ExitCode.OK


class RunProgress:
    """What a live display shows at each refresh: a bar with the pace and the counts below it.

    Failures say nothing about the time left: some come at once, others only after many attempts.
    So a second bar, which nobody sees, measures how fast sessions are stopped.
    """

    def __init__(self, counts: Counts, clock: Callable[[], float] = monotonic) -> None:
        from rich.progress import BarColumn, Progress

        self._counts = counts
        self._bars = Progress(BarColumn(bar_width=None), expand=True, get_time=clock)
        self._ended = self._bars.add_task("", total=counts.total)
        self._stopped = self._bars.add_task("", total=None, visible=False)

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        self._bars.update(self._ended, completed=self._counts.ended)
        self._bars.update(self._stopped, completed=self._counts.stopped)
        return Group(self._bars, Text(self._pace), Text(self._counts.in_words, "dim"))

    @property
    def _pace(self) -> str:
        """How far the run is, how fast, and how long it may still take."""
        counts, seconds = self._counts, self._bars.tasks[self._ended].elapsed or 0
        text = f"{counts.ended:,} of {counts.total:,} in {duration(seconds)}"
        if not (counts.ended and seconds):
            return text
        speed, missing = self._bars.tasks[self._stopped].speed, counts.total - counts.ended
        left = ""
        if speed and missing and counts.stopped >= _ENOUGH:
            left = f", about {duration(missing / speed)} left"
        return f"{text}, {counts.ended / seconds:.1f} a second{left}"


def _print_above(live: Console, total: int, result: StopResult) -> None:
    from rich.text import Text

    if result.error is not None or total <= _MOST_LINES:
        live.print(Text(result_line(result), "red" if result.error else ""))


def result_line(result: StopResult) -> str:
    name = writing.printable(result.session_id)
    if result.error is not None:
        return f"{name}: failed: {failures.headline(result.error)} {failures.advice(result.error)}"
    session = result.session or StreamingSession()
    state = writing.printable(session.state or "UNKNOWN")
    again = ", by this run before" if result.repeated else ""
    return f"{name}: {state}{again}, volumes {volumes(session)}"


def result_document(result: StopResult, run_id: str) -> dict[str, Any]:
    return {
        "sessionId": result.session_id,
        "session": result.session.to_dict() if result.session else None,
        "error": failures.error_document(result.error) if result.error else None,
        "runId": run_id,
        "clientToken": result.client_token,
        "attempts": result.attempts,
        "repeated": result.repeated,
    }


def command_to_resume(words: Sequence[str], run_id: str) -> str:
    """Give the command line again with the run's id, in place of another one."""
    end = words.index("--") if "--" in words else len(words)
    options = iter(words[:end])
    kept: list[str] = []
    for word in options:
        if word == "--run-id":
            next(options, None)
        elif not word.startswith("--run-id="):
            kept.append(word)
    return " ".join(map(_shell_word, (failures.PROGRAM, *kept, "--run-id", run_id, *words[end:])))


def _shell_word(word: str) -> str:
    """Quote a word so that a shell takes it as it is; bash, zsh and ksh for odd characters."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{writing.printable(escaped)}'"
