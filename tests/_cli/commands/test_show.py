from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import Latency
from tests._cli.support import STUDIO

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli


def test_show_shows_a_session(studio: LocalNimble, cli: Cli) -> None:
    """A person gets labels and texts, a program the API's own form."""
    assert cli("show", STUDIO, "artist-1").out.startswith("session      artist-1\nstate ")
    for output in ("json", "jsonl"):
        ran = cli("show", STUDIO, "artist-1", "--output", output)
        assert (ran.code, ran.err) == (0, "")
        session = studio.sessions[STUDIO, "artist-1"]
        assert ran.json == {"schemaVersion": 1, **session.to_dict()}


def test_show_of_an_unknown_session_is_refused(studio: LocalNimble, cli: Cli) -> None:
    """The service's refusal is a sentence with the request's id."""
    ran = cli("show", STUDIO, "nobody")
    assert (ran.code, ran.out) == (254, "")
    assert f"request id {studio.requests[-1].request_id}" in ran.err


@pytest.mark.parametrize("words", [["list", STUDIO], ["show", STUDIO, "artist-1"]])
def test_a_deadline_ends_the_requests(words: list[str], studio: LocalNimble, cli: Cli) -> None:
    """It has the exit code that it has everywhere."""
    studio.inject(Latency(20))
    ran = cli(*words, "--deadline", "0.1")
    assert (ran.code, ran.out) == (124, "")
    assert "--deadline" in ran.err


def test_an_id_that_cannot_be_sent_is_a_usage_error(studio: LocalNimble, cli: Cli) -> None:
    """Nothing is sent."""
    ran = cli("show", STUDIO, "..")
    assert ran.code == 2
    assert not studio.requests
