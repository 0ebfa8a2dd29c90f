from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import click
import pytest

from nimble_stop._cli.stopping.preview import check_confirmable, confirm_deletion
from nimble_stop._cli.stopping.selection import Targets
from tests._cli.support import STUDIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli

SEVEN = Targets(studio_id=STUDIO, session_ids=tuple(f"artist-{number}" for number in range(7)))


def test_without_a_terminal_a_deletion_is_refused(as_terminal: Callable[..., None]) -> None:
    """Nobody can be asked in a pipe, nor where standard input holds the ids."""
    with pytest.raises(click.UsageError, match="--yes"):
        check_confirmable(from_stdin=False)
    as_terminal("stdin")
    check_confirmable(from_stdin=False)
    with pytest.raises(click.UsageError, match="--yes"):
        check_confirmable(from_stdin=True)


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), (" YES\n", True), ("n\n", False), ("\n", False)]
)
def test_the_answer_counts(
    answer: str,
    agreed: bool,  # noqa: FBT001  # a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The question names the sessions, stands on standard error, and no is its default."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    assert confirm_deletion(SEVEN) is agreed
    out, err = capsys.readouterr()
    assert out == ""
    assert "7 sessions of studio-1" in err
    assert "artist-4 and 2 more." in err
    assert "[y/N]" in err


def test_no_answer_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard input ends, the command is aborted."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(click.Abort):
        confirm_deletion(SEVEN)


def test_a_dry_run_stops_nothing(studio: LocalNimble, cli: Cli) -> None:
    """It lists what would be stopped, and no stop is sent."""
    ran = cli("stop", STUDIO, "--all", "--tag", "department=animation", "--dry-run")
    assert ran.code == 0
    assert [line.split("\t")[0] for line in ran.out.splitlines()] == ["artist-1", "artist-3"]
    assert ran.err == "Dry run: 2 sessions would be stopped; nothing was.\n"
    studio.requests.assert_applied(0, operation="StopStreamingSession")


def test_a_dry_run_for_programs_is_the_sessions(studio: LocalNimble, cli: Cli) -> None:
    """They come in the API's own form; a deletion is not asked about."""
    ran = cli("stop", STUDIO, "--all", "--retention", "delete", "--dry-run", "--output", "json")
    assert ran.code == 0
    assert [session["state"] for session in ran.json] == ["READY"] * 3
    assert "with --retention DELETE" in ran.err
    assert studio.requests


def test_what_could_not_be_stopped_is_reported(studio: LocalNimble, cli: Cli) -> None:
    """Names that do not exist and states that refuse a stop count as failures."""
    studio.add_session(studio_id=STUDIO, session_id="a,b")
    ran = cli("stop", STUDIO, "artist-1", "review-room", "nobody", "a,b", "c,d", "--dry-run")
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "review-room: a stop would be refused, because it is STOPPED",
        "nobody: there is no such session",
        "c,d: there is no such session",
        "Dry run: 2 sessions would be stopped; nothing was.",
    ]


def test_names_with_commas_alone_need_no_list(studio: LocalNimble, cli: Cli) -> None:
    """Each is asked for by itself, because commas separate the ids in a list request."""
    ran = cli("stop", STUDIO, "a,b", "c,d", "--dry-run")
    assert ran.code == 1
    assert {record.operation for record in studio.requests} == {"GetStreamingSession"}


def test_a_single_name_that_does_not_exist_is_the_services_refusal(
    studio: LocalNimble, cli: Cli
) -> None:
    """It ends as the stop itself would."""
    assert cli("stop", STUDIO, "nobody", "--dry-run").code == 254
    assert len(studio.requests) == 1


@pytest.mark.nimble_local(transition_seconds=None)
def test_a_resumed_run_may_take_up_what_it_began(studio: LocalNimble, cli: Cli) -> None:
    """A session that is being stopped is no problem for a run that may have begun it."""
    studio.add_session(studio_id="s", session_id="x", state="STOP_IN_PROGRESS")
    assert cli("stop", "s", "x", "--dry-run", "--run-id", "run-1").code == 0
    assert cli("stop", "s", "x", "--dry-run").code == 1
