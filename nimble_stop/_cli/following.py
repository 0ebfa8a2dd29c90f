"""One session on its way: the states it goes through, shown as it does and told in the end."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nimble_stop._cli.connection import poll_options
from nimble_stop._cli.output import Output, console, is_terminal, note, write_json, write_rows
from nimble_stop._cli.text import duration, printable, state_style, volumes
from nimble_stop.exceptions import DeadlineExceededError, NimbleStopError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from nimble_stop import NimbleClient
    from nimble_stop._cli.settings import Settings
    from nimble_stop.models import StreamingSession

# The library refuses a wait of no time at all, and one look is still worth it.
_LEAST_SECONDS: Final = 0.001


class Trail:
    """The states that a session was seen in.

    Attributes:
        session_id: The session.

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
        self.session_id = session_id
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
        return ": ".join((printable(self.session_id), *self._states[-1:]))

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return self._clock() - self._began

    @property
    def last(self) -> str:
        """Tell the state it was last seen in."""
        return (
            f"It was {self._states[-1]} when last read." if self._states else "It was never read."
        )

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


def wait_until_stopped(
    client: NimbleClient, studio_id: str, trail: Trail, settings: Settings, deadline: float | None
) -> StreamingSession:
    """Wait until a session has stopped, and show the states that it goes through.

    Args:
        client: Reads the session.
        studio_id: The session's studio.
        trail: Says which session, and since when it is followed.
        settings: How often to look depends on them.
        deadline: How many seconds everything may take since then; None for the library's time.

    Raises:
        NimbleStopError: As the library's call does.
    """
    limits = poll_options(settings)
    if deadline is not None:
        limits["deadline"] = max(deadline - trail.seconds, _LEAST_SECONDS)
    try:
        return client.wait_until_stopped(studio_id, trail.session_id, on_poll=trail.see, **limits)
    except DeadlineExceededError as error:
        if deadline is None:
            raise
        # Not what was left of it, which the library knows.
        over = f"The deadline of {duration(deadline)} is over and the session has not stopped."
        cause = _first_cause(error)
        why = "" if cause is error else f" The last look failed: {cause}"
        raise DeadlineExceededError(f"{over} {trail.last}{why}") from error


def _first_cause(error: NimbleStopError) -> NimbleStopError:
    cause = error.__cause__
    return _first_cause(cause) if isinstance(cause, NimbleStopError) else error


def write_outcome(session: StreamingSession, trail: Trail, settings: Settings) -> None:
    """Write what became of the session: a few lines for a person, the session for a program."""
    if settings.output is not Output.TABLE:
        write_json(session.to_dict(), settings.output)
        return
    write_rows(
        [
            ("session", printable(trail.session_id)),
            ("states", str(trail)),
            ("volumes", volumes(session)),
            ("took", duration(trail.seconds)),
        ],
        styles={"session": "bold", "states": state_style(session.state or "")},
    )
