"""The states of one session over time: shown as they change, and written at the end."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nimble_stop._cli.terminal.text import duration, printable, state_style, volumes
from nimble_stop._cli.terminal.writing import console, is_terminal, note, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from nimble_stop.models import StreamingSession


class StateHistory:
    """The states that a session was read in.

    Args:
        session_id: The session.
        on_change: Called with a line of text at each change.
        clock: Seconds on a clock that never goes back.
    """

    def __init__(
        self,
        session_id: str,
        on_change: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = printable(session_id)
        self._on_change = on_change
        self._clock = clock
        self._began = clock()
        self._states: list[str] = []

    def add(self, session: StreamingSession) -> None:
        """Add the session as it was just read."""
        state = printable(session.state or "UNKNOWN")
        if self._states[-1:] != [state]:
            self._states.append(state)
            self._on_change(f"{self.latest} after {self._took}")

    @property
    def latest(self) -> str:
        """The session and the state that it was last read in."""
        return ": ".join((self._name, *self._states[-1:]))

    def write(self, session: StreamingSession) -> None:
        """Write what became of the session, in a few lines."""
        rows = [
            ("session", self._name),
            ("states", " -> ".join(self._states) or "not read"),
            ("volumes", volumes(session)),
            ("took", self._took),
        ]
        write_rows(rows, styles={"session": "bold", "states": state_style(session.state or "")})

    @property
    def _took(self) -> str:
        return duration(self._clock() - self._began)


@contextmanager
def show_states(session_id: str, *, quiet: bool, plain: bool) -> Generator[StateHistory]:
    """Show a session's states while the caller reads it.

    In a terminal the latest one stands beside a clock; elsewhere each one is a line.

    Args:
        session_id: The session.
        quiet: Whether nothing is shown.
        plain: Whether a terminal gets lines too, because other lines are written to it.
    """
    if quiet:
        yield StateHistory(session_id, lambda _: None)
        return
    if plain or not is_terminal(sys.stderr):
        yield StateHistory(session_id, note)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn("line"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console(sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        task = progress.add_task(printable(session_id), total=None)
        history = StateHistory(
            session_id, lambda _: progress.update(task, description=history.latest)
        )
        yield history
