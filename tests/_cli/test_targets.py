from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop._cli.selection import Filters
from nimble_stop._cli.targets import find_targets, named_ids
from tests._cli.support import STUDIO, make_order

if TYPE_CHECKING:
    from nimble_stop import NimbleClient
    from nimble_stop._cli.order import Order
    from nimble_stop.local import LocalNimble


def everything(**changes: Any) -> Order:  # noqa: ANN401  # whatever the order's members are
    """Make an order for all sessions of the studio."""
    return make_order(**{"studio_id": STUDIO, "session_ids": (), "everything": True} | changes)


def test_names_are_taken_once_in_their_order(nimble_client: NimbleClient) -> None:
    """Naming a session twice stops it once, and no list is read."""
    order = make_order(session_ids=("b", "a", "b"))
    targets = find_targets(nimble_client, order)
    assert (targets.session_ids, targets.stopping) == (("b", "a"), {})


def test_ids_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is an id up to its first tab; empty lines and repeated ids are left out."""
    text = "artist-1\tREADY\tamara\r\n\n  \nartist 2\nartist-1\n\tnameless\nlast"
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert named_ids(make_order(session_ids=("-",))) == ("artist-1", "artist 2", "last")


def test_a_person_at_standard_input_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal that waits for ids does not look hung."""
    stdin = io.StringIO("artist-1\n")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert named_ids(make_order(session_ids=("-",))) == ("artist-1",)
    assert "Ctrl-D" in capsys.readouterr().err


def test_all_are_those_that_are_ready(studio: LocalNimble, nimble_client: NimbleClient) -> None:
    """Without a filter for it, the state is READY; with one, it is what was asked for."""
    assert len(studio.sessions) == 4
    assert find_targets(nimble_client, everything()).session_ids == (
        "artist-1",
        "artist-2",
        "artist-3",
    )
    stopped = everything(filters=Filters(states=("STOPPED",)))
    assert find_targets(nimble_client, stopped).session_ids == ("review-room",)


@pytest.mark.nimble_local(transition_seconds=None)
def test_a_resumed_run_takes_up_what_is_being_stopped(
    studio: LocalNimble, nimble_client: NimbleClient
) -> None:
    """The sessions that the run had begun to stop are its own again, and known as such."""
    assert studio.sessions
    nimble_client.stop_session(STUDIO, "artist-2")
    assert find_targets(nimble_client, everything()).session_ids == ("artist-1", "artist-3")
    targets = find_targets(nimble_client, everything(resumed=True))
    assert targets.session_ids == ("artist-1", "artist-2", "artist-3")
    assert list(targets.stopping) == ["artist-2"]
