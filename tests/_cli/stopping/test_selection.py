from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from nimble_stop import AccessDeniedException, RequestValidationError, StreamingSession
from nimble_stop._cli.command import Filters
from nimble_stop._cli.stopping.selection import Selection, confirm_deletion, select
from nimble_stop.local import ServiceFailure
from tests._cli.support import STUDIO

if TYPE_CHECKING:
    from nimble_stop import NimbleClient
    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli

SEVEN = [f"artist-{number}" for number in range(7)]


def named(*session_ids: str, **changes: Any) -> Selection:  # noqa: ANN401  # the selection's members
    """Select sessions by name."""
    members: dict[str, Any] = {
        "studio_id": STUDIO,
        "session_ids": session_ids,
        "everything": False,
        "filters": Filters(),
        "resumed": False,
    }
    return Selection(**members | changes)


def everything(**changes: Any) -> Selection:  # noqa: ANN401  # likewise
    """Select all sessions of the studio."""
    return named(everything=True, **changes)


@pytest.mark.parametrize(
    ("session_ids", "changes", "words"),
    [
        (["artist-1"], {"everything": True}, "not both"),
        ([], {}, "at least one session"),
        (["artist-1"], {"filters": Filters(states=("READY",))}, "--all sessions"),
        (["a", "-"], {}, "standard input"),
    ],
)
def test_what_contradicts_itself_is_refused(
    session_ids: list[str], changes: dict[str, Any], words: str
) -> None:
    """The message says what excludes what."""
    with pytest.raises(click.UsageError, match=words):
        named(*session_ids, **changes)


def test_one_session_that_is_named_is_single() -> None:
    """Standard input and several names are several, however many there are in the end."""
    assert named("artist-1").single == "artist-1"
    assert named("a", "b").single is None
    stdin = named("-")
    assert (stdin.single, stdin.from_stdin) == (None, True)


def test_a_session_that_cannot_be_sent_is_accounted_for(
    studio: LocalNimble, nimble_client: NimbleClient
) -> None:
    """An id with a comma is read by itself, and one that is none is an error of its own."""
    studio.add_session(studio_id=STUDIO, session_id="a,b", state="STOPPED")
    named_before = ("..", "a,b", "review-room")
    settled = select(nimble_client, everything(), named_before).settled
    assert list(settled) == list(named_before)
    assert isinstance(settled[".."], RequestValidationError)
    for session_id in ("a,b", "review-room"):
        assert isinstance(settled[session_id], StreamingSession)


def test_names_are_taken_once_in_their_order(nimble_client: NimbleClient) -> None:
    """Naming a session twice stops it once, and no list is read."""
    targets = select(nimble_client, named("b", "a", "b"), ())
    assert list(targets.to_stop.items()) == [("b", None), ("a", None)]


def test_ids_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is an id up to its first tab; empty lines and repeated ids are left out."""
    text = "artist-1\tREADY\tamara\r\n\n  \nartist 2\nartist-1\n\tnameless\nlast"
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert named("-").named() == ("artist-1", "artist 2", "last")


def test_a_person_at_standard_input_is_reported_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal that waits for ids says so."""
    stdin = io.StringIO("artist-1\n")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert named("-").named() == ("artist-1",)
    assert "Ctrl-D" in capsys.readouterr().err


def test_all_are_those_that_are_ready(studio: LocalNimble, nimble_client: NimbleClient) -> None:
    """Without a filter for it, the state is READY; with one, it is what was asked for."""
    assert len(studio.sessions) == 4
    assert list(select(nimble_client, everything(), ()).to_stop) == [
        "artist-1",
        "artist-2",
        "artist-3",
    ]
    stopped = everything(filters=Filters(states=("STOPPED",)))
    assert list(select(nimble_client, stopped, ()).to_stop) == ["review-room"]


@pytest.mark.nimble_local(transition_seconds=None)
def test_a_resumed_run_takes_up_what_is_being_stopped(
    studio: LocalNimble, nimble_client: NimbleClient
) -> None:
    """The sessions that the run had begun to stop are its own again, and known as such."""
    assert studio.sessions
    nimble_client.stop_session(STUDIO, "artist-2")
    assert list(select(nimble_client, everything(), ()).to_stop) == ["artist-1", "artist-3"]
    targets = select(nimble_client, everything(resumed=True), ())
    assert list(targets.to_stop) == ["artist-1", "artist-2", "artist-3"]
    begun = targets.to_stop["artist-2"]
    assert begun is not None
    assert begun.state == "STOP_IN_PROGRESS"


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
    assert confirm_deletion(STUDIO, SEVEN) is agreed
    out, err = capsys.readouterr()
    assert out == ""
    assert "7 sessions of studio-1" in err
    assert "artist-4 and 2 more." in err
    assert "[y/N]" in err


def test_no_answer_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard input ends, the command is aborted."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(click.Abort):
        confirm_deletion(STUDIO, SEVEN)


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


def test_names_are_read_by_pages_of_the_list(studio: LocalNimble, cli: Cli) -> None:
    """Many names take few requests, and whoever may list them need not be allowed to read each."""
    studio.inject(ServiceFailure("AccessDeniedException"), operation="GetStreamingSession")
    names = [f"session-{number}" for number in range(60)]
    for name in names:
        studio.add_session(studio_id=STUDIO, session_id=name)
    assert cli("stop", STUDIO, *names, "--dry-run").code == 0
    assert len(studio.requests) == 2
    ran = cli("stop", STUDIO, "artist-1", "nobody", "--dry-run")
    assert ran.code == 1
    assert ran.err.startswith("nobody: AccessDeniedException")
    assert ran.err.endswith("1 session would be stopped; nothing was.\n")


def test_names_are_read_alone_where_the_list_is_refused(studio: LocalNimble, cli: Cli) -> None:
    """The permission to list is a separate one."""
    studio.inject(ServiceFailure("AccessDeniedException"), operation="ListStreamingSessions")
    assert cli("stop", STUDIO, "artist-1", "artist-2", "--dry-run").code == 0


def test_a_session_that_must_not_be_read_does_not_end_a_run(
    studio: LocalNimble, nimble_client: NimbleClient
) -> None:
    """One that an earlier attempt named and that is not listed is accounted for as an error."""
    studio.inject(ServiceFailure("AccessDeniedException"), operation="GetStreamingSession")
    targets = select(nimble_client, everything(resumed=True), ("deleted",))
    assert len(targets.to_stop) == 3
    assert isinstance(targets.settled["deleted"], AccessDeniedException)


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
