"""The live display of a run: a bar with the pace and the counts below it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, Progress
from rich.text import Text

from nimble_stop._cli.terminal.session_tables import duration
from nimble_stop._cli.terminal.writing import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from nimble_stop._cli.stopping.run import Counts

_REFRESH_PER_SECOND: Final = 5
# From fewer sessions nothing is to be learned about the others.
_ENOUGH: Final = 5


class RunProgress(Progress):
    """The display of a run as it is at each refresh.

    Failures say nothing about the time left: some come at once, others only after many attempts.
    So a second bar, which nobody sees, measures how fast sessions are stopped.
    """

    def __init__(self, counts: Counts, clock: Callable[[], float] = time.monotonic) -> None:
        self._counts = counts
        self._clock = clock
        self._began = clock()
        super().__init__(
            BarColumn(bar_width=None),
            console=console(sys.stderr),
            get_time=clock,
            expand=True,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._ended = self.add_task("", total=counts.total)
        self._stopped = self.add_task("", total=None, visible=False)

    def get_renderables(self) -> Iterator[RenderableType]:
        if not self.tasks:  # because it is still being made
            return
        self.update(self._ended, completed=self._counts.ended)
        self.update(self._stopped, completed=self._counts.stopped)
        yield self.make_tasks_table(self.tasks)
        yield Text(self.pace)
        yield Text(self._counts.in_words, "dim")

    @property
    def pace(self) -> str:
        """How far the run is, how fast, and how long it may still take."""
        total, ended = self._counts.total, self._counts.ended
        seconds = self._clock() - self._began
        text = f"{ended:,} of {total:,} in {duration(seconds)}"
        if not ended or seconds <= 0:
            return text
        speed = next(task.speed for task in self.tasks if task.id == self._stopped)
        left = ""
        if speed and ended < total and self._counts.stopped >= _ENOUGH:
            left = f", about {duration((total - ended) / speed)} left"
        return f"{text}, {ended / seconds:.1f} a second{left}"
