from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
import responses

from nimble_stop._auth.credentials import CredentialSource
from nimble_stop._auth.signer import Authenticator
from nimble_stop._call.steps import Send
from nimble_stop._transport.http_adapter import Adapter
from nimble_stop._transport.transport import Carrier
from nimble_stop.exceptions import (
    ConnectionLostError,
    ConnectTimeoutError,
    ProxyError,
    ReadTimeoutError,
    ResourceNotFoundException,
    TLSError,
    TransportError,
)
from tests.support.clients import SESSION_TOKEN, credentials, make_client, make_config
from tests.support.company import leave_alone
from tests.support.play import STOP
from tests.support.scripted import HANG_GUARD, SESSION, ScriptedServer, always, answer

if TYPE_CHECKING:
    from nimble_stop import NimbleClient
    from tests.support.clock import ManualClock

URL = "http://api.example:8080"
STOP_URL = f"{URL}/2020-08-01/studios/studio-1/streaming-sessions/session-1/stop"


def stop(client: NimbleClient) -> str | None:
    """Stop the session."""
    return client.stop_session("studio-1", "session-1", client_token="token-1").session_id


@responses.activate
def test_intercepted(clock: ManualClock) -> None:
    """`responses` answers in the service's place."""
    responses.post(STOP_URL, json={"session": SESSION})
    with make_client(URL, clock) as client:
        assert stop(client) == "session-1"

    request = responses.calls[0].request
    assert request.body == b"{}"
    assert request.headers["X-Amz-Client-Token"] == "token-1"
    assert request.headers["x-amz-security-token"] == SESSION_TOKEN


@responses.activate
def test_intercepted_error(clock: ManualClock) -> None:
    """An intercepted error is read like any other."""
    responses.post(
        STOP_URL,
        json={"message": "no"},
        status=404,
        headers={"X-Amzn-ErrorType": "ResourceNotFoundException", "X-Amzn-RequestId": "r"},
    )
    with make_client(URL, clock) as client, pytest.raises(ResourceNotFoundException) as failure:
        stop(client)

    assert (failure.value.message, failure.value.request_id) == ("no", "r")


@responses.activate
def test_intercepted_retry(clock: ManualClock) -> None:
    """Intercepted attempts are repeated like any others."""
    responses.post(STOP_URL, status=503)
    responses.post(STOP_URL, body=requests.ConnectionError("gone"))
    responses.post(STOP_URL, json={"session": SESSION})
    with make_client(URL, clock) as client:
        assert stop(client) == "session-1"

    assert len(responses.calls) == 3


def test_intercepted_later(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has sent requests on its own is intercepted as soon as somebody does."""
    with ScriptedServer(always(answer())) as server, make_client(server.url, clock) as client:
        with monkeypatch.context() as alone:
            leave_alone(alone)
            assert stop(client) == "session-1"
        with responses.RequestsMock() as mock:
            mock.post(
                STOP_URL.replace(URL, server.url), json={"session": {"sessionId": "intercepted"}}
            )
            assert stop(client) == "intercepted"

        assert len(server.requests) == 1


def test_passthrough(clock: ManualClock) -> None:
    """What an interceptor lets through goes to the server."""
    with (
        ScriptedServer(always(answer())) as server,
        responses.RequestsMock() as mock,
        make_client(server.url, clock) as client,
    ):
        mock.add_passthru(server.url)
        mock.post(f"{server.url}/never", status=500)
        assert stop(client) == "session-1"
        mock.reset()

        assert len(server.requests) == 1


RAISED: list[tuple[Exception, type[TransportError], int]] = [
    (requests.ConnectionError("gone"), ConnectionLostError, 3),
    (requests.exceptions.ChunkedEncodingError("cut"), ConnectionLostError, 3),
    (requests.ConnectTimeout("slow"), ConnectTimeoutError, 3),
    (requests.ReadTimeout("slow"), ReadTimeoutError, 3),
    (requests.Timeout("slow"), ReadTimeoutError, 3),
    (requests.exceptions.ProxyError("no"), ProxyError, 3),
    (requests.exceptions.SSLError("no"), TLSError, 1),
    (ConnectionResetError("gone"), ConnectionLostError, 3),
    (TimeoutError("slow"), ReadTimeoutError, 3),
]


@pytest.mark.parametrize(("raised", "kind", "attempts"), RAISED, ids=repr)
@responses.activate
def test_intercepted_exception(
    raised: Exception, kind: type[TransportError], attempts: int, clock: ManualClock
) -> None:
    """An exception in an interceptor's answer comes out as ours, with the other as its cause."""
    responses.post(STOP_URL, body=raised)
    with make_client(URL, clock) as client, pytest.raises(kind) as failure:
        stop(client)

    assert type(failure.value) is kind
    assert failure.value.attempts == attempts == len(responses.calls)
    assert failure.value.__cause__ is raised


def test_foreign_request(clock: ManualClock) -> None:
    """Whoever hands the adapter a request of requests' own gets its path."""
    adapter = Adapter(Carrier(make_config(clock)))
    prepared = requests.Request("GET", "http://h/a b?c=d").prepare()

    assert adapter.request_url(prepared, None) == "/a%20b?c=d"


def test_nothing_secret_is_shown(clock: ManualClock) -> None:
    """What a debugger shows of a request under way has no header in it."""
    source = CredentialSource(credentials(), None)
    wire = Authenticator(make_config(clock), source).sign(STOP, {}, 0.0)
    seen: list[str] = []
    with ScriptedServer(always(answer())) as server:
        carrier = Carrier(make_config(clock, server.url))
        adapter = Adapter(carrier)
        original = adapter.build_response

        def spy(req: requests.PreparedRequest, resp: object) -> object:
            seen.extend([repr(req), repr(vars(req)), repr(req.headers), repr(resp)])
            return original(req, resp)

        adapter.build_response = spy  # type: ignore[method-assign,assignment] # pyright: ignore[reportAttributeAccessIssue]
        adapter.exchange(Send(wire, HANG_GUARD, HANG_GUARD, HANG_GUARD))
        carrier.close()

    assert len(seen) == 4
    for secret in (SESSION_TOKEN, wire.headers["Authorization"][-64:]):
        assert [text for text in seen if secret in text] == []
