"""How values read in a terminal. Pure functions.

The rule of this module: what came from the service or the user never reaches a terminal raw. A
character that is not printable is escaped, so that an id can neither move the cursor nor hide.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from nimble_stop.models import StreamingSessionState as State, VolumeRetentionMode

if TYPE_CHECKING:
    from nimble_stop.models import StreamingSession

_STATE_STYLES: Final = {"STOPPED": "green", "READY": "cyan"}
_VOLUMES_NOW: Final = {
    VolumeRetentionMode.RETAIN: "retained",
    VolumeRetentionMode.DELETE: "deleted",
}


def printable(text: str) -> str:
    """Escape what a terminal would act on or not show."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def one_line(text: str) -> str:
    """Put a text that may have line breaks on one line."""
    return printable(" ".join(text.split()))


def duration(seconds: float) -> str:
    """Describe a length of time in at most two units; from ten seconds on tenths are noise."""
    if seconds < 10:  # noqa: PLR2004  # see above
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def distance(time: datetime, now: datetime) -> str:
    """Describe how far a time is from now, in one unit."""
    seconds = (now - time).total_seconds()
    number, unit, *_ = duration(abs(seconds)).split()
    span = f"{number.partition('.')[0]} {unit}"
    return f"{span} ago" if seconds >= 0 else f"in {span}"


def moment(time: datetime, now: datetime) -> str:
    """Describe a time in UTC, and how far from now it is."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({distance(time, now)})"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def state_style(state: str) -> str:
    """Choose the colour of a state; all that pass are yellow, all that failed are red."""
    if state.endswith("_FAILED"):
        return "bold red"
    return _STATE_STYLES.get(state, "yellow" if state.endswith("_IN_PROGRESS") else "")


def volumes(session: StreamingSession) -> str:
    """Describe what happens, or happened, to a session's volumes."""
    mode = session.volume_retention_mode
    if mode is None:
        return "not given by the service"
    now = _VOLUMES_NOW.get(mode)
    if now is None:
        return printable(mode)
    if session.state == State.STOPPED:
        return now
    return f"will be {now}" if session.state == State.STOP_IN_PROGRESS else f"{now} when it stops"
