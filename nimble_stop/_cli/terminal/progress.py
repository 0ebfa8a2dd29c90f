"""The progress of a run over many sessions: a live display in a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from nimble_stop._cli.terminal.writing import Output, console, is_terminal, json_writer, note, write

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from rich.console import Console, RenderableType


# Of more sessions than that a terminal shows the failures only; the counts have the rest.
_MOST_LINES: Final = 20
_REFRESH_PER_SECOND: Final = 5


@attrs.frozen
class Line:
    """One session's result, ready to be shown.

    Args:
        text: For a person.
        document: For a program.
        failed: Whether it is a failure.
    """

    text: str
    document: dict[str, Any]
    failed: bool


Show: TypeAlias = "Callable[[Line], None]"


@attrs.frozen
class Display:
    """Where a run is shown.

    Args:
        show: Shows a session's result.
        say: Shows a line of text to the person, beside the results.
    """

    show: Show
    say: Callable[[str], None]


@attrs.frozen
class Snapshot:
    """How far a run is at a moment.

    Args:
        total: How many sessions there are.
        ended: How many of them have ended.
        pace: How fast it is, in words.
        counts: How many are in which state, in words.
    """

    total: int
    ended: int
    pace: str
    counts: str


@contextmanager
def show_run(
    total: int, read_snapshot: Callable[[], Snapshot], output: Output, *, quiet: bool, plain: bool
) -> Generator[Display]:
    """Show how a run goes on.

    The run goes on when its results cannot be written any more, and its summary still comes.

    Args:
        total: How many sessions there are.
        read_snapshot: Gives how far the run is; called in another thread, several times a second.
        output: What standard output is written for.
        quiet: Whether a person reads only what failed.
        plain: Whether a terminal gets no live display, because other lines are written to it.

    Raises:
        OSError: Results could not be written although somebody reads them; after the run.
    """
    with (
        _live_console(read_snapshot, output, plain=plain or quiet) as live,
        _results(total, output, live, quiet=quiet) as show,
    ):
        yield Display(show, note if live is None else live.print)


@contextmanager
def _results(total: int, output: Output, live: Console | None, *, quiet: bool) -> Generator[Show]:
    if output is not Output.TABLE:
        with (
            suppress(BrokenPipeError),
            json_writer(output) as write_object,
            _until_failure(lambda line: write_object(line.document)) as show,
        ):
            yield show
    elif live is not None and is_terminal(sys.stdout):
        yield lambda line: _print_above(live, line, total)
    else:
        with suppress(BrokenPipeError), _until_failure(lambda line: write(line.text)) as show:
            yield lambda line: None if quiet and not line.failed else show(line)


@contextmanager
def _until_failure(show: Show) -> Generator[Show]:
    """Show results while that is possible; raise at the end why it was not."""
    failure: OSError | None = None

    def show_while_possible(line: Line) -> None:
        nonlocal failure
        if failure is None:
            try:
                show(line)
            except OSError as error:
                failure = error

    yield show_while_possible
    if failure is not None:
        raise failure


def _print_above(live: Console, line: Line, total: int) -> None:
    from rich.text import Text

    if line.failed:
        live.print(Text(line.text, "red"))
    elif total <= _MOST_LINES:
        live.print(Text(line.text))


@contextmanager
def _live_console(
    read_snapshot: Callable[[], Snapshot], output: Output, *, plain: bool
) -> Generator[Console | None]:
    """Show the live display, if there is a terminal that nothing else is written to."""
    mixed = output is not Output.TABLE and is_terminal(sys.stdout)
    if plain or mixed or not is_terminal(sys.stderr):
        yield None
        return
    from rich.progress import BarColumn, Progress
    from rich.text import Text

    class RunProgress(Progress):
        """A bar with the pace and the counts below it, as they are at each refresh."""

        def get_renderables(self) -> Iterator[RenderableType]:
            now = read_snapshot()
            for task in self.task_ids:
                self.update(task, total=now.total, completed=now.ended)
            yield self.make_tasks_table(self.tasks)
            yield Text(now.pace)
            yield Text(now.counts, "dim")

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
    progress.add_task("")
    with progress:
        yield terminal
