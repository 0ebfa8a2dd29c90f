from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from nimble_stop import StreamingSession, StreamingSessionState
from nimble_stop._cli.table import write_sessions
from tests.cli.support import plain

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
SESSIONS = [
    StreamingSession(
        session_id="artist-1",
        state=StreamingSessionState.STOP_IN_PROGRESS,
        owned_by="amara",
        ec2_instance_type="g5.2xlarge",
        updated_at=NOW - timedelta(hours=2),
    ),
    StreamingSession(session_id="x\x1b[2J", created_at=NOW - timedelta(days=1)),
    StreamingSession(),
]


def test_in_a_pipe_fields_are_separated_by_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    """Every session is one line with all five fields, and there is no heading."""
    assert write_sessions(iter(SESSIONS), NOW) == 3
    assert capsys.readouterr().out == (
        "artist-1\tSTOP_IN_PROGRESS\tamara\tg5.2xlarge\t2026-11-23T18:00:00+00:00\n"
        "x\\x1b[2J\t\t\t\t2026-11-22T20:00:00+00:00\n"
        "\t\t\t\t\n"
    )


@pytest.mark.parametrize(
    ("columns", "titles"),
    [
        (40, ["SESSION", "STATE"]),
        (60, ["SESSION", "STATE", "OWNER"]),
        (80, ["SESSION", "STATE", "OWNER", "INSTANCE", "CHANGED"]),
    ],
)
def test_a_terminal_gets_the_columns_that_fit(
    columns: int,
    titles: list[str],
    as_terminal: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A narrow terminal has fewer columns, and no line goes beyond it."""
    as_terminal("stdout", columns=columns)
    assert write_sessions(SESSIONS, NOW) == 3
    lines = plain(capsys.readouterr().out).splitlines()
    assert lines[0].split() == titles
    assert all(len(line) <= columns for line in lines)


def test_an_id_is_never_cut(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A long id goes on in the next line, so that it can be copied."""
    as_terminal("stdout", columns=40)
    name = "artist-" + "0123456789" * 6
    write_sessions([StreamingSession(session_id=name)], NOW)
    lines = plain(capsys.readouterr().out).splitlines()[1:]
    assert "".join("".join(lines).split()) == name


def test_no_sessions_make_no_table(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty table has no heading either."""
    as_terminal("stdout")
    assert write_sessions([], NOW) == 0
    assert capsys.readouterr().out == ""
