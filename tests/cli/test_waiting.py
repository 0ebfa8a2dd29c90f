from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop.local import ServiceFailure, StopFails
from tests.cli.support import STUDIO

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble
    from tests.cli.support import Cli


def test_a_session_that_has_stopped_is_told(studio: LocalNimble, cli: Cli) -> None:
    """A person gets the states, a program the session."""
    ran = cli("wait", STUDIO, "review-room")
    assert ran.code == 0
    assert "states   STOPPED\nvolumes  retained\n" in ran.out
    session = studio.sessions[STUDIO, "review-room"]
    assert cli("wait", STUDIO, "review-room", "--output", "json").json == session.to_dict()


def test_a_session_that_is_not_stopping_ends_the_wait(studio: LocalNimble, cli: Cli) -> None:
    """READY without a stop never becomes STOPPED."""
    ran = cli("wait", STUDIO, "artist-1")
    assert (ran.code, len(studio.requests)) == (255, 1)
    assert "no stop is under way" in ran.err


def test_a_stop_that_fails_ends_the_wait(studio: LocalNimble, cli: Cli) -> None:
    """STOP_FAILED is an error."""
    studio.inject(StopFails(), session_id="artist-1")
    cli("stop", STUDIO, "artist-1")
    ran = cli("wait", STUDIO, "artist-1")
    assert ran.code == 255
    assert "failed to stop" in ran.err


def test_the_deadline_ends_the_wait(studio: LocalNimble, cli: Cli) -> None:
    """It has an exit code of its own, and the advice names the option."""
    studio.inject(ServiceFailure("ThrottlingException"))
    ran = cli("wait", STUDIO, "artist-1", "--deadline", "0.05")
    assert ran.code == 124
    assert "--deadline" in ran.err


def test_a_deadline_must_leave_time(cli: Cli) -> None:
    """Zero seconds are a usage error."""
    assert cli("wait", STUDIO, "artist-1", "--deadline", "0").code == 2
