from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop import AsyncNimbleClient, stop_session
from nimble_stop._call.engine import RetryQuota
from nimble_stop._client.default_client import _default, reset_default_client
from nimble_stop._config.network import tls_context
from nimble_stop._transport import requests_transport as _transport
from nimble_stop.exceptions import ConnectionLostError
from tests.support.clients import REGION, credentials, make_client
from tests.support.scripted import DATA, HANG_GUARD, ScriptedServer, always, answer, server_tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


def in_child(work: Callable[[], str]) -> str:
    """Run some work in the child of a fork, and give back what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, work().encode())
        except BaseException as error:  # noqa: BLE001 - the parent reports it
            os.write(writer, f"failed: {error!r}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as said:
        return said.read()


def test_connections() -> None:
    """A child opens connections of its own, and leaves its parent's as they were."""
    with ScriptedServer(always(answer())) as server, make_client(server.url) as client:
        client.get_session("a", "b")
        said = in_child(lambda: str(client.get_session("a", "b").session_id))
        client.get_session("a", "b")

    assert said == "session-1"
    assert [request.connection for request in server.requests] == [0, 1, 0]


def test_tokens_and_jitter() -> None:
    """A child draws its own tokens, invocation ids and delays."""
    with ScriptedServer(always(answer())) as server, make_client(server.url) as client:
        state = random.getstate()
        numbers = [in_child(lambda: str(client._config.runtime.random())) for _ in range(2)]
        random.setstate(state)
        numbers.append(str(client._config.runtime.random()))
        for _ in range(2):
            in_child(lambda: str(client.stop_session("a", "b")))
        client.stop_session("a", "b")

    assert len(set(numbers)) == 3
    for header in ("x-amz-client-token", "amz-sdk-invocation-id"):
        assert len({request.headers[header] for request in server.requests}) == 3


def test_async_tls_in_the_making() -> None:
    """A child of a fork reads certificates itself, however early after its client was made."""

    def work() -> str:
        signal.alarm(int(HANG_GUARD))
        return str(asyncio.run(client.get_session("a", "b")).session_id)

    with ScriptedServer(always(answer()), tls=server_tls()) as server:
        client = AsyncNimbleClient(
            endpoint_url=server.url,
            region_name=REGION,
            credentials=credentials(),
            ca_bundle=DATA / "server.crt",
        )
        assert in_child(work) == "session-1"


def test_tls_in_the_making(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child reads certificates itself, although a thread of its parent was reading them."""
    reading, go = threading.Event(), threading.Event()

    def read(config: Any, proxy: Any) -> ssl.SSLContext | None:  # noqa: ANN401 - passed on
        if threading.current_thread() is thread:
            reading.set()
            go.wait(HANG_GUARD)
        return tls_context(config, proxy)

    def work() -> str:
        # Ends a child that waits for ever.
        signal.alarm(int(HANG_GUARD))
        return str(client.get_session("a", "b").session_id)

    monkeypatch.setattr(_transport, "tls_context", read)
    with (
        ScriptedServer(always(answer()), tls=server_tls()) as server,
        make_client(server.url, ca_bundle=DATA / "server.crt") as client,
    ):
        thread = threading.Thread(target=client.get_session, args=("a", "b"))
        thread.start()
        reading.wait(HANG_GUARD)
        said = in_child(work)
        go.set()
        thread.join()

    assert said == "session-1"


def test_default_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module's own client works in a child, made before the fork or after it."""
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with ScriptedServer(always(answer())) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_NIMBLE", server.url)
        reset_default_client()
        before = in_child(lambda: str(stop_session("a", "b").session_id))
        stop_session("a", "b")
        after = in_child(lambda: str(stop_session("a", "b").session_id))
        reset_default_client()

    assert (before, after) == ("session-1", "session-1")
    assert [request.connection for request in server.requests] == [0, 1, 2]


def test_locks_that_another_thread_held() -> None:
    """A lock that another thread held at the fork does not hang the child."""
    quota, held, go = RetryQuota(), threading.Event(), threading.Event()
    with make_client("http://127.0.0.1:1") as client:
        source = client._credentials
        locks = [quota._lock, source._lock, _default._lock]

        def hold() -> None:
            with locks[0], locks[1], locks[2]:
                held.set()
                go.wait()

        def reset() -> str:
            reset_default_client()
            return "open"

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        taken = [
            in_child(lambda: str(quota.take(ConnectionLostError("no")))),
            in_child(lambda: str(source.keys().token is None)),
            in_child(reset),
        ]
        go.set()
        thread.join()

    assert taken == ["14", "False", "open"]
