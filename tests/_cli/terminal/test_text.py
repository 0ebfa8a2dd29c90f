from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nimble_stop import StreamingSession, StreamingSessionState, VolumeRetentionMode
from nimble_stop._cli.terminal.text import (
    counted,
    duration,
    moment,
    one_line,
    printable,
    state_style,
    volumes,
)

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("artist-1", "artist-1"),
        ("日本語 é", "日本語 é"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202eevil", "\\u202eevil"),
        ("\ud800", "\\ud800"),
    ],
)
def test_nothing_reaches_a_terminal_raw(text: str, shown: str) -> None:
    """What a terminal would act on is escaped, and all else is left alone."""
    assert printable(text) == shown


def test_a_text_with_line_breaks_is_put_on_one_line() -> None:
    """Line breaks become spaces, other control characters are escaped."""
    assert one_line("one\n  two\r\nthree\x07") == "one two three\\x07"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (2.34, "2.3 s"),
        (59.4, "59 s"),
        (59.7, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float, shown: str) -> None:
    """A length of time is as fine as it is useful."""
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("distance", "shown"),
    [
        (timedelta(hours=-9, minutes=-20), "2026-11-23 10:40 UTC (9 h ago)"),
        (timedelta(minutes=30), "2026-11-23 20:30 UTC (in 30 min)"),
        (timedelta(0), "2026-11-23 20:00 UTC (0 s ago)"),
    ],
)
def test_a_moment_is_reported_in_utc_and_from_now(distance: timedelta, shown: str) -> None:
    """A time comes with its distance, past or future."""
    assert moment(NOW + distance, NOW) == shown


def test_one_is_singular() -> None:
    """A noun agrees with its number."""
    assert [counted(n, "session") for n in (0, 1, 2134)] == [
        "0 sessions",
        "1 session",
        "2,134 sessions",
    ]


@pytest.mark.parametrize(
    ("state", "mode", "shown"),
    [
        ("STOPPED", "RETAIN", "retained"),
        ("STOPPED", "DELETE", "deleted"),
        ("STOP_IN_PROGRESS", "DELETE", "will be deleted"),
        ("READY", "RETAIN", "retained when it stops"),
        ("STOPPED", "ARCHIVE", "ARCHIVE"),
        ("STOPPED", None, "not given by the service"),
    ],
)
def test_what_happens_to_the_volumes_depends_on_the_state(
    state: str, mode: str | None, shown: str
) -> None:
    """The volumes of a stopped session are shown as they are, of others as they will be."""
    session = StreamingSession(
        state=StreamingSessionState(state),
        volume_retention_mode=None if mode is None else VolumeRetentionMode(mode),
    )
    assert volumes(session) == shown


@pytest.mark.parametrize(
    ("state", "style"),
    [
        ("STOPPED", "green"),
        ("STOP_FAILED", "bold red"),
        ("START_IN_PROGRESS", "yellow"),
        ("NEW_STATE", ""),
    ],
)
def test_a_state_has_its_colour(state: str, style: str) -> None:
    """What failed stands out, and a state of tomorrow is plain."""
    assert state_style(state) == style
