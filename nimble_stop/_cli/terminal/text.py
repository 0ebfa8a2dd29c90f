"""How values read in a terminal. Pure functions.

The rule of this module: what came from the service or the user never reaches a terminal raw. A
character that is not printable is escaped, so that an id can neither move the cursor nor hide.
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from nimble_stop.models import StreamingSessionState as State, VolumeRetentionMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nimble_stop.models import StreamingSession

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
# From here on tenths of a second are noise.
_WHOLE_SECONDS: Final = 10
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


def shell_command(words: Iterable[str]) -> str:
    """Write a command so that a shell takes it as it is; bash, zsh and ksh for odd characters."""
    return " ".join(_shell_word(word) for word in words)


def _shell_word(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"


def duration(seconds: float) -> str:
    """Describe a length of time in at most two units."""
    if seconds < _WHOLE_SECONDS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


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
    """Give a number and its noun."""
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
