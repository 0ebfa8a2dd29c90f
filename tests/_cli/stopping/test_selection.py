from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from nimble_stop import RequestValidationError, StreamingSession
from nimble_stop._cli.options import Filters
from nimble_stop._cli.stopping.selection import Selection, select
from tests._cli.support import STUDIO

if TYPE_CHECKING:
    from nimble_stop import NimbleClient
    from nimble_stop.local import LocalNimble


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
    assert (targets.session_ids, targets.listed) == (("b", "a"), {})


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
    assert select(nimble_client, everything(), ()).session_ids == (
        "artist-1",
        "artist-2",
        "artist-3",
    )
    stopped = everything(filters=Filters(states=("STOPPED",)))
    assert select(nimble_client, stopped, ()).session_ids == ("review-room",)


@pytest.mark.nimble_local(transition_seconds=None)
def test_a_resumed_run_takes_up_what_is_being_stopped(
    studio: LocalNimble, nimble_client: NimbleClient
) -> None:
    """The sessions that the run had begun to stop are its own again, and known as such."""
    assert studio.sessions
    nimble_client.stop_session(STUDIO, "artist-2")
    assert select(nimble_client, everything(), ()).session_ids == ("artist-1", "artist-3")
    targets = select(nimble_client, everything(resumed=True), ())
    assert targets.session_ids == ("artist-1", "artist-2", "artist-3")
    assert targets.listed["artist-2"].state == "STOP_IN_PROGRESS"
