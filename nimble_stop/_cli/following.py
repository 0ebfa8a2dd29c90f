"""One session on its way: the states it goes through, shown as it does and told in the end."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.output import Output, console, is_terminal, note, write_json, write_rows
from nimble_stop._cli.text import duration, printable, volumes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from nimble_stop._cli.settings import Settings
    from nimble_stop.models import StreamingSession

STATE_STYLES: Final = {"STOPPED": "green", "READY": "cyan"}


def state_style(state: str) -> str:
    """Choose the colour of a state; all that pass are yellow, all that failed are red."""
    if state.endswith("_FAILED"):
        return "bold red"
    return STATE_STYLES.get(state, "yellow" if state.endswith("_IN_PROGRESS") else "")


class Trail:
    """The states that a session was seen in.

    Args:
        session_id: The session.
        show: Called with a line of text at each change.
        clock: Seconds on a clock that never goes back.
    """

    def __init__(
        self,
        session_id: str,
        show: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session_id = session_id
        self._show = show
        self._clock = clock
        self._began = clock()
        self._states: list[str] = []

    def see(self, session: StreamingSession) -> None:
        """Take note of the session as it was just read."""
        state = printable(session.state or "UNKNOWN")
        if self._states[-1:] != [state]:
            self._states.append(state)
            self._show(f"{self.now} after {duration(self.seconds)}")

    @property
    def now(self) -> str:
        """The session and the state it was last seen in."""
        return ": ".join((printable(self._session_id), *self._states[-1:]))

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return self._clock() - self._began

    def __str__(self) -> str:
        return " -> ".join(self._states) or "not seen"


@contextmanager
def follow(session_id: str, settings: Settings) -> Generator[Trail]:
    """Show a session's states while the caller watches it.

    In a terminal the last one stands beside a clock; elsewhere each one is a line. Programs get
    the result only.
    """
    if settings.output is not Output.TABLE:
        yield Trail(session_id, lambda _: None)
    elif settings.debug or not is_terminal(sys.stderr):
        yield Trail(session_id, note)
    else:
        trail = Trail(session_id, lambda _: None)
        with _moving(trail):
            yield trail


@contextmanager
def _moving(trail: Trail) -> Generator[None]:
    """Show the state and a running clock on one line of the terminal."""
    from rich.live import Live
    from rich.spinner import Spinner

    spinner = Spinner("line")

    def picture() -> Spinner:
        spinner.update(text=f"{trail.now} ... {duration(trail.seconds)}")
        return spinner

    with Live(
        get_renderable=picture,
        console=console(sys.stderr),
        refresh_per_second=10,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield


def write_outcome(
    session: StreamingSession, session_id: str, trail: Trail, settings: Settings
) -> None:
    """Write what became of the session: a few lines for a person, the session for a program."""
    if settings.output is not Output.TABLE:
        write_json(session.to_dict(), settings.output)
        return
    write_rows(
        [
            ("session", printable(session_id)),
            ("states", str(trail)),
            ("volumes", volumes(session)),
            ("took", duration(trail.seconds)),
        ],
        styles={"session": "bold", "states": state_style(session.state or "")},
    )
