from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import ServiceFailure
from tests._cli.support import STUDIO

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli


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


def test_an_empty_list_is_reported(studio: LocalNimble, cli: Cli) -> None:
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
