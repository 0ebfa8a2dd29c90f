"""How a studio tests a tool of its own that uses nimble_stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop import NimbleClient, StopFailedError, ThrottlingException
from nimble_stop.local import ResetAfterChange, ServiceFailure, StopFails

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble


def go_home(studio_id: str, user: str) -> list[str | None]:
    """Stop all sessions of a user and wait for them: the tool that is to be tested."""
    with NimbleClient() as client:
        sessions = list(client.list_sessions(studio_id, owned_by=user))
        for session in sessions:
            client.stop_session(studio_id, session.session_id or "")
        for session in sessions:
            client.wait_until_stopped(studio_id, session.session_id or "")
    return [session.session_id for session in sessions]


def test_stops_the_sessions_of_one_user(nimble_local: LocalNimble) -> None:
    """Only the user's own session is stopped."""
    nimble_local.add_session(studio_id="studio-1", session_id="hers", owned_by="amara")
    nimble_local.add_session(studio_id="studio-1", session_id="his", owned_by="bjorn")

    assert go_home("studio-1", "amara") == ["hers"]

    nimble_local.requests.assert_stopped_once("hers")
    nimble_local.requests.assert_not_stopped("his")
    assert nimble_local.sessions["studio-1", "hers"].state == "STOPPED"


def test_survives_a_connection_that_breaks(nimble_local: LocalNimble) -> None:
    """A stop whose answer is lost is repeated with its token, and applied once."""
    nimble_local.add_session(studio_id="studio-1", session_id="hers", owned_by="amara")
    nimble_local.inject(ResetAfterChange(), operation="StopStreamingSession", times=1)

    go_home("studio-1", "amara")

    nimble_local.requests.assert_attempts(2, operation="StopStreamingSession")
    nimble_local.requests.assert_one_token("hers")
    nimble_local.requests.assert_stopped_once("hers")


@pytest.mark.nimble_local(
    sessions=[{"studio_id": "studio-1", "session_id": "hers", "owned_by": "amara"}],
    faults=[StopFails("NETWORK_CONNECTION_ERROR")],
)
def test_reports_a_stop_that_failed(nimble_local: LocalNimble) -> None:
    """A session that goes to STOP_FAILED is an error that carries it."""
    with pytest.raises(StopFailedError) as caught:
        go_home("studio-1", "amara")

    assert caught.value.session is not None
    assert caught.value.session.status_code == "NETWORK_CONNECTION_ERROR"
    nimble_local.requests.assert_stopped_once("hers")


def test_gives_up_when_it_is_throttled_for_long(
    nimble_local: LocalNimble, nimble_client: NimbleClient
) -> None:
    """With one attempt in all, throttling is an error at once."""
    from nimble_stop import RetryPolicy

    nimble_local.add_session(studio_id="studio-1", session_id="hers")
    nimble_local.inject(ServiceFailure("ThrottlingException"))
    impatient = nimble_client.with_options(retry=RetryPolicy(max_attempts=1))

    with pytest.raises(ThrottlingException):
        impatient.stop_session("studio-1", "hers")
