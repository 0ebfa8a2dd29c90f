from __future__ import annotations

import gc
import logging
import pickle
import traceback
import tracemalloc
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop import NimbleClient, RetryPolicy
from nimble_stop.exceptions import (
    ConfigurationError,
    NimbleStopError,
    RequestValidationError,
)
from nimble_stop.local import AccessKey, LocalNimble, ServiceFailure
from tests.support.clients import (
    ACCESS_KEY_ID,
    REGION,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    make_client,
)
from tests.support.refused import GOOD, REFUSED
from tests.support.scripted import (
    Peer,
    ScriptedServer,
    always,
    answer,
    answering,
    error_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nimble_stop import AttemptRecord
    from tests.support.clock import ManualClock


@pytest.fixture
def local() -> Iterator[LocalNimble]:
    """Run an endpoint with one session, for the tests' credentials."""
    key = AccessKey(ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN)
    with LocalNimble(credentials=key, region_name=REGION) as endpoint:
        endpoint.add_session(studio_id="studio-1", session_id="session-1")
        yield endpoint


def test_generated_token(local: LocalNimble) -> None:
    """Without a token each call makes one, a uuid in lower case, for all of its attempts."""
    local.inject(ServiceFailure(), times=1)
    policy = RetryPolicy(base_delay=0.001)
    with make_client(local.endpoint_url, retry=policy) as client:
        client.stop_session("studio-1", "session-1")

    local.requests.assert_one_token("session-1")
    assert len(local.requests) == 2
    token = local.requests[0].client_token
    assert token is not None
    assert str(uuid.UUID(token, version=4)) == token


@pytest.mark.parametrize("arguments", REFUSED, ids=ascii)
def test_refused_input_opens_no_connection(arguments: dict[str, Any]) -> None:
    """A bad argument is refused before credentials are asked for or a connection is opened."""
    (name,) = arguments
    with ScriptedServer() as server:
        client = NimbleClient(region_name=REGION, endpoint_url=server.url)
        with client, pytest.raises(RequestValidationError, match=rf"^{name} must be") as failure:
            client.stop_session(**{**GOOD, **arguments})

        assert isinstance(failure.value, ValueError)
        assert server.connections == 0


def test_no_credentials() -> None:
    """Without credentials nothing is sent, and the error says where they were searched."""
    with ScriptedServer() as server:
        with (
            NimbleClient(region_name=REGION, endpoint_url=server.url) as client,
            pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID") as failure,
        ):
            client.stop_session("studio-1", "session-1", client_token="mine")

        assert (failure.value.client_token, failure.value.attempts) == ("mine", 0)
        assert server.connections == 0


def test_threads_get_their_own_answers(local: LocalNimble) -> None:
    """32 threads over one client get each its own session, every time."""
    names = [f"session {number}" for number in range(32)]
    for name in names:
        local.add_session(studio_id="studio-1", session_id=name)

    def read(name: str) -> set[str | None]:
        return {client.get_session("studio-1", name).session_id for _ in range(20)}

    with make_client(local.endpoint_url) as client, ThreadPoolExecutor(32) as pool:
        assert list(pool.map(read, names)) == [{name} for name in names]


def test_threads_with_broken_connections() -> None:
    """Threads get their own answers also when connections break and answers come doubled."""

    def script(peer: Peer) -> None:
        evil = answer({"session": {"sessionId": "evil"}})
        for behind in (b"", b"", evil):
            name = peer.read_request().target.rpartition("/")[2]
            peer.send(answer({"session": {"sessionId": name}}) + behind)

    def read(number: int) -> bool:
        name = f"session-{number}"
        return client.get_session("studio-1", name).session_id == name

    with (
        ScriptedServer(script) as server,
        make_client(server.url) as client,
        ThreadPoolExecutor(32) as pool,
    ):
        assert all(pool.map(read, range(500)))


def test_memory() -> None:
    """An endless answer costs a few megabytes at most."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.flood(b" " * 65536)

    with ScriptedServer(script) as server, make_client(server.url) as client:
        tracemalloc.start()
        try:
            with pytest.raises(NimbleStopError):
                client.get_session("studio-1", "session-1")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 10_000_000


@pytest.mark.parametrize("closes", [True, False])
def test_no_resource_warning(*, closes: bool) -> None:
    """A client leaves no open socket behind, closed or just dropped."""
    with ScriptedServer(always(answer())) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        client = make_client(server.url)
        client.get_session("studio-1", "session-1")
        if closes:
            client.close()
            client.close()
        del client
        gc.collect()


class Signatures:
    """Remembers what a server received that must not show."""

    def __init__(self) -> None:
        self.secrets = {SECRET_ACCESS_KEY, SESSION_TOKEN}

    def echo(self, peer: Peer) -> None:
        """Answer with an error that quotes everything secret there is."""
        while True:
            request = peer.read_request()
            signature = request.headers["authorization"].rpartition("=")[2]
            self.secrets.add(signature)
            text = f"{signature} {SESSION_TOKEN} {request.raw.decode()}"
            peer.send(
                answer(
                    {"message": text, "context": {"sent": text}},
                    status=403,
                    headers={
                        "x-amzn-errortype": "InvalidSignatureException",
                        "x-amzn-requestid": signature,
                    },
                )
            )

    def garbage(self, peer: Peer) -> None:
        """Answer with a page that quotes the request's headers."""
        while True:
            request = peer.read_request()
            self.secrets.add(request.headers["authorization"].rpartition("=")[2])
            peer.send(answer(b"<html>" + request.raw))

    def cut(self, peer: Peer) -> None:
        """Answer with half an answer that quotes the request's headers."""
        request = peer.read_request()
        self.secrets.add(request.headers["authorization"].rpartition("=")[2])
        peer.send(answer(request.raw, length=100_000))

    def silent(self, peer: Peer) -> None:
        """Answer nothing."""
        request = peer.read_request()
        self.secrets.add(request.headers["authorization"].rpartition("=")[2])
        peer.wait_until_closed()


@pytest.mark.parametrize("behaviour", ["echo", "garbage", "cut", "silent"])
def test_secrets_show_nowhere(
    behaviour: str,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No secret is in logs of any level, in errors, tracebacks with variables, or pickles."""
    caplog.set_level(logging.DEBUG)
    signatures = Signatures()
    script: Callable[[Peer], None] = getattr(signatures, behaviour)
    with ScriptedServer(script) as server:
        client = make_client(server.url, clock, timeout=0.2)
        with client, pytest.raises(NimbleStopError) as failure:
            client.stop_session("studio-1", "session-1")

    error = failure.value
    # Some programs pickle it with the error.
    assert error.__context__ is None
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    texts = [
        caplog.text,
        str(error),
        repr(error),
        str(vars(error)),
        str(pickle.dumps(error)),
        str(vars(client)),
        *(text for text in shown.format() if "tests/" not in text.partition("\n")[0]),
    ]
    assert len(signatures.secrets) > 2
    assert "StopStreamingSession attempt 1" in caplog.text
    for secret in signatures.secrets:
        assert [text for text in texts if secret in text] == []


def test_secrets_show_nowhere_in_success(
    local: LocalNimble, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that succeeds logs no secret either, botocore's DEBUG included."""
    caplog.set_level(logging.DEBUG)
    with make_client(local.endpoint_url) as client:
        client.stop_session("studio-1", "session-1")

    assert "StopStreamingSession attempt 1: ok" in caplog.text
    for secret in (SECRET_ACCESS_KEY, SESSION_TOKEN, "AWS4-HMAC-SHA256", "Signature="):
        assert secret not in caplog.text


def test_on_attempt(clock: ManualClock) -> None:
    """The callback gets a record of every attempt of every call, also through a copy."""
    records: list[AttemptRecord] = []
    script = answering(error_answer(500, "InternalServerErrorException"), answer())
    with (
        ScriptedServer(script) as server,
        make_client(server.url, clock, on_attempt=records.append) as client,
    ):
        client.with_options(deadline=9).stop_session("studio-1", "session-1", client_token="t")

    assert [(each.attempt, each.http_status, each.client_token) for each in records] == [
        (1, 500, "t"),
        (2, 200, "t"),
    ]


def test_on_attempt_fails(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """What the callback raises is logged, and costs the call nothing."""

    def fail(record: AttemptRecord) -> None:
        raise KeyError(record.attempt)

    with (
        ScriptedServer(always(answer())) as server,
        make_client(server.url, clock, on_attempt=fail) as client,
    ):
        assert client.get_session("a", "b").session_id == "session-1"

    assert "on_attempt failed" in caplog.text
    assert "KeyError: 1" in caplog.text


def test_bad_on_attempt() -> None:
    """What cannot be called is refused by its name."""
    with pytest.raises(RequestValidationError, match=r"^on_attempt must be callable") as failure:
        make_client("http://127.0.0.1:1", on_attempt=5)

    assert failure.value.argument == "on_attempt"
