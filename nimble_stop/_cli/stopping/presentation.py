"""The last stage of ``stop``: show the results, and end with the exit code or the error.

Of a run there is a live display in a terminal, and lines elsewhere. One that did not stop
everything ends in a `CommandError` that has the command to go on with.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager, nullcontext, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import attrs

from nimble_stop._cli.failures import (
    PROGRAM,
    CommandError,
    ExitCode,
    SomeFailedError,
    advice,
    error_document,
    headline,
)
from nimble_stop._cli.stopping.single import OneSession, explain
from nimble_stop._cli.terminal.session_tables import show_states
from nimble_stop._cli.terminal.text import counted, printable, volumes
from nimble_stop._cli.terminal.writing import (
    SCHEMA_VERSION,
    Output,
    document_of,
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
    from collections.abc import Callable, Generator, Sequence

    from rich.console import Console

    from nimble_stop import NimbleClient, StopResult
    from nimble_stop._cli.stopping.live import RunProgress
    from nimble_stop._cli.stopping.run import Counts, Run
    from nimble_stop._cli.stopping.selection import Selection
    from nimble_stop._cli.stopping.single import StopOptions

# Of more sessions than that a terminal shows the failures only; the counts have the rest.
_MOST_LINES: Final = 20


@attrs.frozen(kw_only=True)
class ResumeHint:
    """Says how a run is resumed: with the same command line, and the run's id."""

    words: Sequence[str]
    run_id: str
    from_stdin: bool
    in_memory: bool

    def text(self, purpose: str = "To resume") -> str:
        """Give the command that resumes the run, if it can be resumed."""
        if self.in_memory:
            return "The embedded endpoint was in memory and is gone; --local=FILE keeps it."
        source = " with the same ids on standard input" if self.from_stdin else ""
        return f"{purpose}{source}: {self.command}"

    @property
    def command(self) -> str:
        end = self.words.index("--") if "--" in self.words else len(self.words)
        options = iter(self.words[:end])
        kept: list[str] = []
        for word in options:
            if word == "--run-id":
                next(options, None)
            elif not word.startswith("--run-id="):
                kept.append(word)
        words = (PROGRAM, *kept, "--run-id", self.run_id, *self.words[end:])
        return " ".join(map(_shell_word, words))


def _shell_word(word: str) -> str:
    """Quote a word so that a shell takes it as it is; bash, zsh and ksh for odd characters."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"


@attrs.frozen(kw_only=True)
class Presentation:
    """How results are shown; ``quiet`` leaves a person only what failed."""

    output: Output
    quiet: bool
    debug: bool
    hint: ResumeHint

    @property
    def _talks(self) -> bool:
        return self.output is Output.TABLE and not self.quiet

    def _say(self, text: str) -> None:
        if self._talks:
            note(folded(text))

    def nothing(self, selection: Selection) -> ExitCode:
        if not self.quiet:
            note(folded(f"Nothing to stop: no session{selection}."))
        if self.output is Output.JSON:
            write("[]")
        return ExitCode.OK

    def one(
        self, client: NimbleClient, studio_id: str, session_id: str, options: StopOptions
    ) -> ExitCode:
        """Stop a session, show the states that it goes through, and what became of it."""
        try:
            with show_states(session_id, quiet=not self._talks, plain=self.debug) as history:
                named = OneSession(client, studio_id, session_id, history.add)
                session = named.stop(options, self._say)
        except KeyboardInterrupt as error:
            raise CommandError(error, self.hint.text()) from error
        except NimbleStopError as error:
            explain(error, client, options)
            if error.outcome_unknown or error.retryable:
                raise CommandError(error, self.hint.text()) from error
            raise
        if self.output is not Output.TABLE:
            write_json(document_of(session), self.output)
        elif self._talks:
            history.write(session)
        return ExitCode.OK

    def many(self, run: Run) -> ExitCode:
        """Make a run, show how it goes on, and what became of the sessions.

        It goes on when results cannot be written any more, and its summary still comes.
        """
        targets, began = run.targets, monotonic()
        before = f", {len(targets.settled):,} named before to account for"
        # Should the program be killed, this is what the run can be resumed with.
        self._say(
            f"Run {printable(self.hint.run_id)}: {counted(len(targets.session_ids), 'session')} "
            f"to stop{before if targets.settled else ''}."
        )
        try:
            self._show(run)
        except (KeyboardInterrupt, OSError) as error:
            raise CommandError(error, self.hint.text()) from error
        finally:
            if self._talks:
                with suppress(OSError):
                    took = monotonic() - began
                    rows = run.counts.rows(targets.studio_id, self.hint.run_id, took)
                    write_rows(rows, stream=sys.stderr)
        return self._conclude(run)

    def _show(self, run: Run) -> None:
        progress = self._live_display(run.counts)
        live = progress.console if progress else None
        failure: OSError | None = None
        with (
            progress or nullcontext(),
            suppress(BrokenPipeError),
            self._writer(run.counts.total, live) as show,
            run.begin(live.print if live else note) as results,
        ):
            for result in results:
                try:
                    if failure is None:
                        show(result)
                except OSError as error:
                    failure = error
            if failure is not None:
                raise failure

    @contextmanager
    def _writer(self, total: int, live: Console | None) -> Generator[Callable[[StopResult], None]]:
        if self.output is not Output.TABLE:
            with json_writer(self.output) as write_object:
                yield lambda result: write_object(result_document(result, self.hint.run_id))
        elif live is not None and is_terminal(sys.stdout):
            yield lambda result: _print_above(live, result, total)
        else:
            yield self._write_line

    def _write_line(self, result: StopResult) -> None:
        if result.error is not None or not self.quiet:
            write(result_line(result))

    def _live_display(self, counts: Counts) -> RunProgress | None:
        """Make the live display, if there is a terminal that nothing else is written to."""
        mixed = self.output is not Output.TABLE and is_terminal(sys.stdout)
        if self.debug or self.quiet or mixed or not is_terminal(sys.stderr):
            return None
        from nimble_stop._cli.stopping.live import RunProgress

        return RunProgress(counts)

    def _conclude(self, run: Run) -> ExitCode:
        """Choose the exit code, or raise the error that says what to do next."""
        counts = run.counts
        if run.ending.interrupted:
            raise CommandError(KeyboardInterrupt(), self.hint.text())
        if run.ending.deadline_exceeded or counts.deadline_exceeded:
            limit = run.options.deadline or "The deadline"
            error = DeadlineExceededError(f"{limit} is over: {counts.in_words}.")
            raise CommandError(error, self.hint.text())
        if counts.stopped < counts.total:
            text = f"Of {counted(counts.total, 'session')}: {counts.shortfall}."
            # Those that a repetition can stop are tried again.
            hopeful = counts.total - counts.stopped - counts.final
            which = f"{hopeful:,} of those" if counts.final else "those"
            again = self.hint.text(f"To try {which} again") if hopeful else ""
            raise CommandError(SomeFailedError(text), again)
        return ExitCode.OK


def _print_above(live: Console, result: StopResult, total: int) -> None:
    from rich.text import Text

    if result.error is not None or total <= _MOST_LINES:
        live.print(Text(result_line(result), "red" if result.error else ""))


def result_line(result: StopResult) -> str:
    """Describe one session's result on one line."""
    name = printable(result.session_id)
    if result.error is not None:
        return f"{name}: failed: {headline(result.error)} {advice(result.error)}"
    session = result.session or StreamingSession()
    again = ", by this run before" if result.repeated else ""
    return f"{name}: {printable(session.state or 'UNKNOWN')}{again}, volumes {volumes(session)}"


def result_document(result: StopResult, run_id: str) -> dict[str, Any]:
    """Describe one session's result for a program."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "sessionId": result.session_id,
        "session": result.session.to_dict() if result.session else None,
        "error": error_document(result.error) if result.error else None,
        "runId": run_id,
        "clientToken": result.client_token,
        "attempts": result.attempts,
        "repeated": result.repeated,
    }
