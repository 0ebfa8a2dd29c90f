from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import ServiceFailure, StopFails
from tests._cli.support import STUDIO

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli


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
