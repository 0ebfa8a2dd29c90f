from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop import NimbleClient, RetryPolicy, Timeouts
from nimble_stop._client.base import BaseClient
from nimble_stop.exceptions import ConfigurationError, RequestValidationError
from tests.support.clients import (
    ACCESS_KEY_ID,
    REGION,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    make_client,
)
from tests.support.scripted import ScriptedServer, always, answer, error_answer

if TYPE_CHECKING:
    from tests.support.clock import ManualClock


def test_shown() -> None:
    """A client shows where requests go, and its repr shows no more."""
    with make_client("http://127.0.0.1:8080/base/") as client:
        assert client.region_name == REGION
        assert client.endpoint_url == "http://127.0.0.1:8080/base"
        assert repr(client) == (
            "<NimbleClient region_name='us-west-2' endpoint_url='http://127.0.0.1:8080/base'>"
        )


def test_secrets_are_not_shown() -> None:
    """Neither a client nor its attributes show a secret."""
    with make_client("http://127.0.0.1:8080") as client:
        parts = [client, client._signer, client._credentials, client._engine]
        texts = [repr(client), *(str(vars(part)) for part in [*parts, client._transport])]
    for secret in (ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN):
        assert [text for text in texts if secret in text] == []


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_given_credentials_are_not_pickled(way: Any) -> None:  # noqa: ANN401 - any way to copy
    """A client with credentials of its own refuses to be pickled, and says what to do."""
    client = make_client("http://127.0.0.1:8080")
    with client, pytest.raises(ConfigurationError, match="AWS_PROFILE") as failure:
        way(client)

    assert SECRET_ACCESS_KEY not in str(failure.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled(protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client pickles without connections and credentials, with all that was asked for."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    with ScriptedServer(always(answer())) as server:
        client = NimbleClient(
            region_name="eu-west-1",
            endpoint_url=server.url,
            timeout=Timeouts(connect=1, read=2),
            deadline=30,
            retry=RetryPolicy(max_attempts=1),
            max_connections=3,
        ).with_options(deadline=40)
        client.get_session("studio-1", "session-1")
        data = pickle.dumps(client, protocol)
        twin: NimbleClient = pickle.loads(data)  # noqa: S301
        twin.get_session("studio-1", "session-1")
        client.close()
        twin.get_session("studio-1", "session-1")
        twin.close()

        assert server.connections == 2
        assert twin._config == client._config
        assert twin._config.deadline == 40
    assert SECRET_ACCESS_KEY.encode() not in data


def test_copies_share_connections(clock: ManualClock) -> None:
    """A copy with other options uses the same connections, and closes them for both."""
    with ScriptedServer(always(answer())) as server, make_client(server.url, clock) as client:
        client.get_session("a", "b")
        other = client.with_options(timeout=3, deadline=4)
        other.get_session("a", "b")

        assert server.connections == 1
        assert (other._config.timeouts, other._config.deadline) == (Timeouts(connect=3, read=3), 4)
        assert other._config.endpoint is client._config.endpoint
        assert client._config.deadline == 90


def test_copies_share_what_was_learned(clock: ManualClock) -> None:
    """Quota and clock skew are the same for a client and its copies."""
    date = "Mon, 23 Nov 2026 02:02:03 GMT"
    late = answer(headers={"Date": date})
    with ScriptedServer(always(late)) as server, make_client(server.url, clock) as client:
        client.with_options(deadline=9).get_session("a", "b")
        client.get_session("a", "b")

        assert server.requests[1].headers["x-amz-date"] == "20261123T020203Z"


def test_copies_have_their_own_policy(clock: ManualClock) -> None:
    """A copy's own retry policy counts for the copy alone."""
    failing = always(error_answer(500, "InternalServerErrorException"))
    with ScriptedServer(failing) as server, make_client(server.url, clock) as client:
        with pytest.raises(Exception, match="no"):
            client.with_options(retry=RetryPolicy(max_attempts=1)).get_session("a", "b")
        assert len(server.requests) == 1
        with pytest.raises(Exception, match="no"):
            client.get_session("a", "b")
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("name", "value"), [("timeout", 0), ("deadline", -1), ("deadline", "1"), ("retry", 3)]
)
def test_bad_options_of_a_copy(name: str, value: Any) -> None:  # noqa: ANN401 - whatever a caller passes
    """An option of a copy is checked like a client's own."""
    client = make_client("http://127.0.0.1:8080")
    with client, pytest.raises(RequestValidationError, match=rf"^{name} must be"):
        client.with_options(**{name: value})


def test_no_transport_of_its_own() -> None:
    """The base alone is no client."""
    with pytest.raises(TypeError, match="abstract"):
        BaseClient(region_name=REGION)  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage] - that is the claim
