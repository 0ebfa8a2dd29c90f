from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import Latency, ServiceFailure, StopFails
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


def test_wait_shows_a_session_that_has_stopped(studio: LocalNimble, cli: Cli) -> None:
    """A person gets the states, a program the session."""
    ran = cli("wait", STUDIO, "review-room")
    assert ran.code == 0
    assert "states   STOPPED\nvolumes  retained\n" in ran.out
    session = studio.sessions[STUDIO, "review-room"]
    assert cli("wait", STUDIO, "review-room", "--output", "json").json == {
        "schemaVersion": 1,
        **session.to_dict(),
    }


def test_a_quiet_wait_says_nothing(studio: LocalNimble, cli: Cli) -> None:
    """It ends when the session has stopped; an error is reported all the same."""
    assert studio.sessions
    ran = cli("wait", STUDIO, "review-room", "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert "no stop is under way" in cli("wait", STUDIO, "artist-1", "-q").err


def test_a_session_that_is_not_stopping_ends_the_wait(studio: LocalNimble, cli: Cli) -> None:
    """READY without a stop never becomes STOPPED."""
    ran = cli("wait", STUDIO, "artist-1")
    assert ran.code == 255
    assert studio.requests
    assert "no stop is under way" in ran.err


def test_a_stop_that_fails_ends_the_wait(studio: LocalNimble, cli: Cli) -> None:
    """STOP_FAILED is an error."""
    studio.inject(StopFails(), session_id="artist-1")
    cli("stop", STUDIO, "artist-1")
    ran = cli("wait", STUDIO, "artist-1")
    assert ran.code == 255
    assert "failed to stop" in ran.err


@pytest.mark.nimble_local(transition_seconds=None)
def test_the_deadline_ends_the_wait(studio: LocalNimble, cli: Cli) -> None:
    """It has an exit code of its own; what is known is shown, and the option that gives more."""
    studio.add_session(studio_id=STUDIO, session_id="late", state="STOP_IN_PROGRESS")
    studio.inject(ServiceFailure("InternalServerErrorException"), skip=1)
    ran = cli("wait", STUDIO, "late", "--deadline", "2")
    assert ran.code == 124
    shown = ran.err.splitlines()[-1]
    assert shown.startswith(
        "nimble-stop: The deadline of 2 s is over and the session has not stopped. It was "
        "STOP_IN_PROGRESS when last read. The last attempt failed: InternalServerErrorException"
    )
    assert shown.endswith("Allow more time with --deadline, or repeat the command.")


def test_an_endpoint_that_is_not_there_is_reported_at_once(studio: LocalNimble, cli: Cli) -> None:
    """A wait outlasts an outage, but not a wrong endpoint."""
    ran = cli("wait", STUDIO, "artist-1", "--endpoint-url", "http://127.0.0.1:1")
    assert ran.code == 255
    assert "127.0.0.1:1 cannot be reached" in ran.err
    assert not studio.requests


def test_a_wait_outlasts_a_refusal_that_passes(studio: LocalNimble, cli: Cli) -> None:
    """Throttling at the first poll does not end it."""
    studio.inject(ServiceFailure("ThrottlingException"), times=3)
    assert cli("wait", STUDIO, "review-room").code == 0
