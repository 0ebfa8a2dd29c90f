from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop import AccessDeniedException, NimbleClient, ResourceNotFoundException, RetryPolicy
from nimble_stop._call.steps import drive
from nimble_stop._flows.polling import Looked, look_at_sessions
from nimble_stop.local import LocalNimble, ServiceFailure
from tests.support.clients import make_client
from tests.support.scripted import ScriptedServer, always, answer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def local() -> Iterator[LocalNimble]:
    """Run an endpoint with three sessions, one of them deleted."""
    with LocalNimble() as endpoint:
        for session_id, state in (("a", "READY"), ("b,c", "STOPPED"), ("gone", "DELETED")):
            endpoint.add_session(studio_id="studio-1", session_id=session_id, state=state)
        yield endpoint


def look(local: LocalNimble, *session_ids: str) -> Looked:
    """Look at sessions, one attempt a request."""
    with NimbleClient(
        endpoint_url=local.endpoint_url,
        region_name=local.region_name,
        credentials=local.credentials,
        retry=RetryPolicy(max_attempts=1),
    ) as client:
        return drive(look_at_sessions(client._engine, "studio-1", session_ids), client._perform)


def test_pages_first(local: LocalNimble) -> None:
    """What is listed is not asked for; what is not, deleted or with a comma, is asked for."""
    looked = look(local, "a", "b,c", "gone")

    assert {name: session.state for name, session in looked.sessions.items()} == {
        "a": "READY",
        "b,c": "STOPPED",
        "gone": "DELETED",
    }
    assert looked.errors == {}
    assert looked.failure is None
    assert [request.operation for request in local.requests] == [
        "ListStreamingSessions",
        "GetStreamingSession",
        "GetStreamingSession",
    ]


def test_no_list_for_ids_with_commas(local: LocalNimble) -> None:
    """Ids that no list request can hold cost no list request."""
    assert list(look(local, "b,c").sessions) == ["b,c"]
    assert [request.operation for request in local.requests] == ["GetStreamingSession"]


def test_listed_without_an_id() -> None:
    """A session that is listed without its id is nobody's."""
    page = answer({"sessions": [{"state": "READY"}, {"sessionId": "a", "state": "STOPPED"}]})
    with ScriptedServer(always(page)) as server, make_client(server.url) as client:
        steps = look_at_sessions(client._engine, "studio-1", ("a",))
        assert list(drive(steps, client._perform).sessions) == ["a"]


def test_unknown_session(local: LocalNimble) -> None:
    """A session that does not exist is an error of its own."""
    looked = look(local, "a", "nobody")

    assert list(looked.sessions) == ["a"]
    assert isinstance(looked.errors["nobody"], ResourceNotFoundException)
    assert looked.failure is None


@pytest.mark.parametrize("operation", ["ListStreamingSessions", "GetStreamingSession"])
def test_failure_that_passes(operation: str, local: LocalNimble) -> None:
    """Throttling leaves out what was not read, and is no failure."""
    local.inject(ServiceFailure("ThrottlingException"), operation=operation)
    looked = look(local, "a", "gone")

    assert "gone" not in looked.sessions
    assert looked.errors == {}
    assert looked.failure is None


def test_failure_that_stays(local: LocalNimble) -> None:
    """What forbids the list forbids it for all."""
    local.inject(ServiceFailure("AccessDeniedException"), operation="ListStreamingSessions")
    looked = look(local, "a")

    assert looked.sessions == {}
    assert isinstance(looked.failure, AccessDeniedException)
