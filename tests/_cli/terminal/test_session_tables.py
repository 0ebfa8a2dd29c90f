from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs
import pytest

from nimble_stop import (
    AutomaticTerminationMode,
    SessionBackupMode,
    SessionPersistenceMode,
    StreamingSession,
    StreamingSessionState,
    StreamingSessionStatusCode,
    VolumeConfiguration,
    VolumeRetentionMode,
)
from nimble_stop._cli.terminal.session_tables import (
    StateHistory,
    duration,
    moment,
    session_rows,
    show_states,
    state_style,
    volumes,
    write_session,
    write_sessions,
)
from nimble_stop._cli.terminal.writing import Output
from tests._cli.support import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.clock import ManualClock

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
FULL = StreamingSession(
    arn="arn:aws:nimble:us-west-2:1:streaming-session/artist-1",
    automatic_termination_mode=AutomaticTerminationMode.ACTIVATED,
    backup_mode=SessionBackupMode.AUTOMATIC,
    created_at=NOW - timedelta(hours=9),
    created_by="creator",
    ec2_instance_type="g5.2xlarge",
    launch_profile_id="lp-1",
    max_backups_to_retain=3,
    owned_by="owner",
    session_id="artist-1",
    session_persistence_mode=SessionPersistenceMode.ACTIVATED,
    started_at=NOW - timedelta(hours=8),
    started_by="starter",
    started_from_backup_id="backup-1",
    state=StreamingSessionState.READY,
    status_code=StreamingSessionStatusCode.STREAMING_SESSION_READY,
    status_message="Ready\nto go.",
    stop_at=NOW + timedelta(hours=1),
    stopped_at=NOW - timedelta(days=2),
    stopped_by="stopper",
    streaming_image_id="image-1",
    tags={"department": "lighting", "project": "x\x1b"},
    terminate_at=NOW + timedelta(days=3),
    updated_at=NOW - timedelta(minutes=4),
    updated_by="updater",
    volume_configuration=VolumeConfiguration(iops=3000, size=500, throughput=125),
    volume_retention_mode=VolumeRetentionMode.DELETE,
)


def test_in_a_pipe_fields_are_separated_by_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    """Every session is one line with all five fields, and there is no heading."""
    assert write_sessions(iter(SESSIONS), Output.TABLE, NOW) == 3
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
    assert write_sessions(SESSIONS, Output.TABLE, NOW) == 3
    lines = plain(capsys.readouterr().out).splitlines()
    assert lines[0].split() == titles
    assert all(len(line) <= columns for line in lines)


def test_an_id_is_never_cut(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A long id goes on in the next line, so that it can be copied."""
    as_terminal("stdout", columns=40)
    name = "artist-" + "0123456789" * 6
    write_sessions([StreamingSession(session_id=name)], Output.TABLE, NOW)
    lines = plain(capsys.readouterr().out).splitlines()[1:]
    assert "".join("".join(lines).split()) == name


def test_no_sessions_make_no_table(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty table has no heading either."""
    as_terminal("stdout")
    assert write_sessions([], Output.TABLE, NOW) == 0
    assert capsys.readouterr().out == ""


def test_every_member_is_reported() -> None:
    """No member that the service can send is missing, and each has its place."""
    assert all(getattr(FULL, field.name) is not None for field in attrs.fields(StreamingSession)), (
        "the example should have every member"
    )
    assert session_rows(FULL, NOW) == {
        "session": "artist-1",
        "state": "READY",
        "status": "STREAMING_SESSION_READY: Ready to go.",
        "owner": "owner",
        "instance": "g5.2xlarge",
        "volumes": "500 GiB, 3000 IOPS, 125 MiB/s, deleted when it stops",
        "persistence": "ACTIVATED",
        "backups": "AUTOMATIC, at most 3 kept, started from backup-1",
        "created": "2026-11-23 11:00 UTC (9 h ago) by creator",
        "started": "2026-11-23 12:00 UTC (8 h ago) by starter",
        "stopped": "2026-11-21 20:00 UTC (2 d ago) by stopper",
        "updated": "2026-11-23 19:56 UTC (4 min ago) by updater",
        "stops": "2026-11-23 21:00 UTC (in 1 h)",
        "terminates": "2026-11-26 20:00 UTC (in 3 d)",
        "termination": "ACTIVATED",
        "profile": "lp-1",
        "image": "image-1",
        "tags": "department=lighting, project=x\\x1b",
        "arn": "arn:aws:nimble:us-west-2:1:streaming-session/artist-1",
    }


def test_what_the_service_did_not_send_is_empty() -> None:
    """A session without members is no failure."""
    shown = {label for label, text in session_rows(StreamingSession(), NOW).items() if text}
    assert shown == {"session", "volumes"}


def test_one_session_is_a_line_for_each_member(capsys: pytest.CaptureFixture[str]) -> None:
    """The first line says which session, the second what its state is."""
    write_session(FULL, Output.TABLE, NOW)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert (first.split(), second.split()) == (["session", "artist-1"], ["state", "READY"])


def session(state: str | None) -> StreamingSession:
    """Make a session in a state."""
    return StreamingSession(state=None if state is None else StreamingSessionState(state))


def test_the_history_keeps_the_states_in_their_order(
    clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A state that is read again counts once, and every change is shown with its time."""
    shown: list[str] = []

    def show(state: str, took: str) -> None:
        shown.append(f"{state} after {took}")

    history = StateHistory("artist-1", show, lambda: clock.monotonic)
    for state in ("READY", "STOP_IN_PROGRESS", "STOP_IN_PROGRESS", None, "STOPPED"):
        history.add(session(state))
        clock.advance(1)
    history.write()
    assert capsys.readouterr().out == (
        "session  artist-1\n"
        "states   READY -> STOP_IN_PROGRESS -> UNKNOWN -> STOPPED\n"
        "volumes  not given by the service\n"
        "took     5.0 s\n"
    )
    assert shown == [
        "artist-1: READY after 0.0 s",
        "artist-1: STOP_IN_PROGRESS after 1.0 s",
        "artist-1: UNKNOWN after 3.0 s",
        "artist-1: STOPPED after 4.0 s",
    ]


def test_in_a_pipe_each_state_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The lines go to standard error, and the whole to standard output."""
    with show_states("artist-1", Output.TABLE, quiet=False, plain=False) as history:
        history.add(session("READY"))
    out, err = capsys.readouterr()
    assert "states   READY\n" in out
    assert err.startswith("artist-1: READY after ")


@pytest.mark.parametrize(
    ("output", "quiet", "written"),
    [(Output.TABLE, True, ""), (Output.JSONL, False, '{"schemaVersion": 1, "state": "READY"}\n')],
)
def test_nobody_needs_progress(
    output: Output,
    quiet: bool,  # noqa: FBT001  # a parameter of the test
    written: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A program gets the session alone, and whoever wants it quiet nothing."""
    with show_states("artist-1", output, quiet=quiet, plain=False) as history:
        history.add(session("READY"))
    assert capsys.readouterr() == (written, "")


def test_in_a_terminal_one_line_moves(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The state stands beside a clock, and the line is taken away in the end."""
    as_terminal("stderr")
    with show_states("artist-1", Output.TABLE, quiet=False, plain=False) as history:
        history.add(session("STOP_IN_PROGRESS"))
    err = capsys.readouterr().err
    assert "artist-1: STOP_IN_PROGRESS" in plain(err)
    assert err.endswith("\x1b[2K")


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
