"""The live picture of a run in a terminal, and the lines that take its place elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from nimble_stop._cli.output import Output, console, is_terminal, json_writer, note, write
from nimble_stop._cli.tally import result_line, result_object

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.console import Console, Group

    from nimble_stop import StopResult
    from nimble_stop._cli.settings import Settings
    from nimble_stop._cli.tally import Tally


Show: TypeAlias = "Callable[[StopResult], None]"

# Of more sessions than that a terminal shows the failures only; a picture tells the rest.
_SHOWN_ALL: Final = 20
_TIMES_A_SECOND: Final = 5


@attrs.frozen
class View:
    """Where a run is shown.

    Args:
        show: Shows a session's result.
        say: Shows a line of text to the person, beside the results.
    """

    show: Show
    say: Callable[[str], None]


@contextmanager
def show_run(tally: Tally, run_id: str, settings: Settings) -> Generator[View]:
    """Show how a run goes.

    The run goes on when its results cannot be written any more, and its summary still comes.

    Raises:
        OSError: Results could not be written although somebody reads them; after the run.
    """
    with _live_console(tally, settings) as live, _results(tally, run_id, settings, live) as show:
        yield View(show, note if live is None else live.print)


@contextmanager
def _results(
    tally: Tally, run_id: str, settings: Settings, live: Console | None
) -> Generator[Show]:
    if settings.output is not Output.TABLE:
        with (
            suppress(BrokenPipeError),
            json_writer(settings.output) as write_object,
            _until_failure(lambda result: write_object(result_object(result, run_id))) as show,
        ):
            yield show
    elif live is not None and is_terminal(sys.stdout):
        yield lambda result: _print_above(live, result, tally.total)
    else:
        with (
            suppress(BrokenPipeError),
            _until_failure(lambda result: write(result_line(result))) as show,
        ):
            yield show


@contextmanager
def _until_failure(show: Show) -> Generator[Show]:
    """Show results while that is possible; that it was not is raised when all have come."""
    failure: OSError | None = None

    def show_while_possible(result: StopResult) -> None:
        nonlocal failure
        if failure is None:
            try:
                show(result)
            except OSError as error:
                failure = error

    yield show_while_possible
    if failure is not None:
        raise failure


def _print_above(live: Console, result: StopResult, total: int) -> None:
    from rich.text import Text

    if result.error is not None:
        live.print(Text(result_line(result), "red"))
    elif total <= _SHOWN_ALL:
        live.print(Text(result_line(result)))


@contextmanager
def _live_console(tally: Tally, settings: Settings) -> Generator[Console | None]:
    """Draw the picture, if there is a terminal that has it for itself."""
    mixed = settings.output is not Output.TABLE and is_terminal(sys.stdout)
    if settings.debug or mixed or not is_terminal(sys.stderr):
        yield None
        return
    from rich.live import Live

    terminal = console(sys.stderr)
    with Live(
        get_renderable=lambda: picture(tally),
        console=terminal,
        refresh_per_second=_TIMES_A_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield terminal


def picture(tally: Tally) -> Group:
    """Draw how far a run is: a bar, the pace and the counts; as wide as there is room."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    # A bar on its own does not end its line.
    bar = Table.grid(expand=True)
    bar.add_row(ProgressBar(total=tally.total, completed=tally.ended))
    return Group(
        bar,
        Text(tally.pace),
        Text(tally.counts, "dim"),
    )
