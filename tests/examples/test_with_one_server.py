"""How a suite shares one endpoint among its tests, and how a test has several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop import NimbleClient
from nimble_stop.local import LocalNimble

if TYPE_CHECKING:
    from collections.abc import Iterator


def connect(local: LocalNimble) -> NimbleClient:
    """Make a client of an endpoint, whatever the environment says."""
    return NimbleClient(
        endpoint_url=local.endpoint_url,
        region_name=local.region_name,
        credentials=local.credentials,
    )


@pytest.fixture(scope="module")
def client(nimble_local_server: LocalNimble) -> Iterator[NimbleClient]:
    """Make what is expensive once: the endpoint is the same for all tests."""
    with connect(nimble_local_server) as client:
        yield client


@pytest.mark.parametrize("session_id", ["artist-1", "artist-2"])
def test_each_test_begins_with_an_empty_endpoint(
    nimble_local_server: LocalNimble, client: NimbleClient, session_id: str
) -> None:
    """Sessions and requests of the test before are gone."""
    nimble_local_server.add_session(studio_id="studio-1", session_id=session_id)

    client.stop_session("studio-1", session_id)

    assert list(nimble_local_server.sessions) == [("studio-1", session_id)]
    nimble_local_server.requests.assert_attempts(1)


@pytest.mark.nimble_local(sessions=[{"studio_id": "studio-1", "session_id": "artist-1"}])
def test_the_marker_fills_the_shared_endpoint_too(client: NimbleClient) -> None:
    """The marker's sessions and faults are there before the test begins."""
    assert client.get_session("studio-1", "artist-1").state == "READY"


def test_two_regions(nimble_local_server: LocalNimble, client: NimbleClient) -> None:
    """A test may have further endpoints, each with sessions and a region of its own."""
    with LocalNimble(region_name="eu-west-1") as europe, connect(europe) as europe_client:
        nimble_local_server.add_session(studio_id="studio-1", session_id="artist-1")
        europe.add_session(studio_id="studio-1", session_id="artist-1")

        europe_client.stop_session("studio-1", "artist-1")

        assert europe.sessions["studio-1", "artist-1"].state == "STOPPED"
        assert client.get_session("studio-1", "artist-1").state == "READY"
