from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import Latency, ServiceFailure
from tests.cli.support import STUDIO

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble
    from tests.cli.support import Cli


def test_show_tells_a_session(studio: LocalNimble, cli: Cli) -> None:
    """A person gets labels and texts, a program the API's own form."""
    assert cli("show", STUDIO, "artist-1").out.startswith("session      artist-1\nstate ")
    for output in ("json", "jsonl"):
        ran = cli("show", STUDIO, "artist-1", "--output", output)
        assert (ran.code, ran.err) == (0, "")
        assert ran.json == studio.sessions[STUDIO, "artist-1"].to_dict()


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


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], {"artist-1", "artist-2", "artist-3", "review-room"}),
        (["--state", "ready"], {"artist-1", "artist-2", "artist-3"}),
        (["--state", "STOPPED", "--state", "READY", "--owned-by", "amara"], {"artist-1"}),
        (["--tag", "department=animation"], {"artist-1", "artist-3"}),
        (["--tag", "department=animation", "--tag", "project=x"], set[str]()),
        (["--created-by", "nobody"], set[str]()),
    ],
)
def test_list_filters(
    filters: list[str], expected: set[str], studio: LocalNimble, cli: Cli
) -> None:
    """The filters combine; states are alternatives, tags add up."""
    ran = cli("list", STUDIO, *filters)
    assert ran.code == 0
    assert {line.partition("\t")[0] for line in ran.out.splitlines()} == expected
    assert [session["sessionId"] for session in cli("list", STUDIO, "--output", "json").json] == [
        session_id for _, session_id in studio.sessions
    ]


def test_an_empty_list_is_told(studio: LocalNimble, cli: Cli) -> None:
    """Standard output stays empty, or an empty array, and the filters are named."""
    ran = cli("list", STUDIO, "--state", "DELETED", "--tag", "a=b", "--owned-by", "x")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"No sessions in {STUDIO} in DELETED owned by x with a=b.\n"
    assert cli("list", STUDIO, "--state", "DELETED", "--output", "json").json == []
    assert studio.requests


def test_a_list_that_breaks_off_can_still_be_read(studio: LocalNimble, cli: Cli) -> None:
    """The pages before the failure are there, and the error is on the other stream."""
    for number in range(120):
        studio.add_session(studio_id="big", session_id=f"s-{number}")
    studio.inject(ServiceFailure("AccessDeniedException"), skip=1)
    ran = cli("list", "big", "--output", "json")
    assert ran.code == 254
    assert len(ran.json) == 100
    assert ran.error["error"]["code"] == "AccessDeniedException"


@pytest.mark.parametrize("tag", ["department", "=x"])
def test_a_tag_needs_a_key_and_a_sign(tag: str, cli: Cli) -> None:
    """Anything else than KEY=VALUE is a usage error."""
    ran = cli("list", STUDIO, "--tag", tag)
    assert ran.code == 2
    assert "KEY=VALUE" in ran.err
