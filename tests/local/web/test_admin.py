from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from nimble_stop.local import AccessKey, LocalNimble
from nimble_stop.local.storage import busy
from nimble_stop.local.web.admin import Admin
from tests.local.admin.support import ask
from tests.local.support import (
    connect,
    exchange_bytes,
    get,
    receive,
    send,
    session_path,
    signed_headers,
    stop,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.local.support import Reply

SESSION = b'{"studioId": "s", "sessionId": "x"}'
JSON = {"Content-Type": "application/json"}


def test_admin_requests_are_not_in_the_journal(local: LocalNimble) -> None:
    """Only requests to AWS's API are recorded."""
    for path in ("/health", "/sessions", "/none"):
        send(local, "GET", f"/_nimble-stop{path}", body=None, headers={})
    assert len(local.requests) == 0


@pytest.mark.parametrize("path", ["/", "/health", "/sessions", "/none", "/page/none.css"])
def test_headers_of_every_answer(local: LocalNimble, path: str) -> None:
    """An answer, also an error, can be neither framed, sniffed, kept nor read by another site."""
    headers = send(local, "GET", f"/_nimble-stop{path}", body=None, headers={}).headers
    policy = headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "frame-ancestors 'none'" in policy
    assert not any("unsafe" in directive or "*" in directive for directive in policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["server"] == "nimble-stop"
    assert not [name for name in headers if name.startswith("access-control")]


def test_head(local: LocalNimble) -> None:
    """HEAD has the headers of GET and no body."""
    reply = send(local, "HEAD", "/_nimble-stop/health", body=None, headers={})
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) > 0
    events = send(local, "HEAD", "/_nimble-stop/events", body=None, headers={})
    assert (events.status, events.headers["content-type"]) == (200, "text/event-stream")
    assert local._admin is not None
    assert local._admin._context.readers == 0


def hostile(local: LocalNimble, headers: Mapping[str, str], body: bytes = SESSION) -> Reply:
    """Send what a hostile page could, and check that nothing has come of it."""
    reply = send(local, "POST", "/_nimble-stop/sessions", body=body, headers=headers)
    assert 400 <= reply.status < 500
    assert reply.json["message"]
    assert len(local.sessions) == 1
    return reply


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none", "Origin": "https://evil.example"},
        {"Host": "rebound.example"},
        {"Host": "rebound.example", "Origin": "http://rebound.example"},
    ],
)
def test_another_site(local: LocalNimble, headers: dict[str, str]) -> None:
    """What a page of another origin or of a rebound name sends is refused, reading too."""
    assert hostile(local, {**JSON, **headers}).status == 403
    for path in ("/sessions", "/events", "/health", "/", "/openapi.json"):
        reply = send(local, "GET", f"/_nimble-stop{path}", body=None, headers=headers)
        assert reply.status == 403


@pytest.mark.parametrize(
    "media_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""],
)
def test_a_form(local: LocalNimble, media_type: str) -> None:
    """What a form can send is refused, even by a browser that does not say where it comes from."""
    assert hostile(local, {"Content-Type": media_type}).status == 415


def test_a_preflight(local: LocalNimble) -> None:
    """A browser that asks whether another origin may send JSON is answered no."""
    headers = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    reply = send(local, "OPTIONS", "/_nimble-stop/sessions", body=None, headers=headers)
    assert reply.status == 403
    assert not [name for name in reply.headers if name.startswith("access-control")]
    own = send(local, "OPTIONS", "/_nimble-stop/sessions", body=None, headers={})
    assert (own.status, own.headers["allow"]) == (405, "GET, HEAD, POST")


def test_no_host(local: LocalNimble) -> None:
    """A request without a host, or with two, is refused."""
    assert b" 403 " in exchange_bytes(local, b"GET /_nimble-stop/health HTTP/1.0\r\n\r\n")
    two = b"GET /_nimble-stop/health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"
    assert exchange_bytes(local, two)[9:12] in {b"400", b"403"}


def test_our_own_page(local: LocalNimble) -> None:
    """The live page's own requests are served, under each name of loopback."""
    port = urlsplit(local.endpoint_url).port
    for name in (f"localhost:{port}", f"127.0.0.1:{port}"):
        headers = {"Host": name, "Origin": f"http://{name}", "Sec-Fetch-Site": "same-origin"}
        assert ask(local, "POST", "/faults", [], headers=headers).status == 201


def test_the_service_is_for_everybody(local: LocalNimble) -> None:
    """AWS's API is guarded by its signature, whatever browsers say of the sender."""
    path = session_path("studio-1", "session-1")
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}
    headers = {**signed_headers(local, "GET", path), **foreign}
    reply = send(local, "GET", path, body=None, headers=headers)
    assert reply.status == 200
    assert "content-security-policy" not in reply.headers


def test_further_hosts() -> None:
    """A name by which other machines know the endpoint can be configured."""
    with LocalNimble(admin_hosts=["nimble"]) as local:
        assert ask(local, "GET", "/health", headers={"Host": "nimble:4566"}).status == 200
        reply = send(local, "GET", "/_nimble-stop/health", body=None, headers={"Host": "nimbl"})
        assert reply.status == 403


def test_listening_with_a_token() -> None:
    """With a token it is, to those who know it."""
    with LocalNimble(host="0.0.0.0", admin_token="a-token") as local:  # noqa: S104  # the case in question
        assert ask(local, "GET", "/sessions").status == 401
        headers = {"Authorization": "Bearer a-token"}
        assert ask(local, "GET", "/sessions", headers=headers).status == 200


def test_without_the_admin_api() -> None:
    """Switched off, it is not there: its paths are no operation of AWS's."""
    with LocalNimble(host="0.0.0.0", admin=False) as local:  # noqa: S104  # the case in question
        reply = send(local, "GET", "/_nimble-stop/health", body=None, headers={})
    assert reply.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_a_large_body(local: LocalNimble) -> None:
    """A body is limited as elsewhere."""
    body = b'{"fault": "' + b"x" * 1_048_576 + b'"}'
    reply = send(local, "POST", "/_nimble-stop/faults", body=body, headers=JSON)
    assert (reply.status, "larger" in reply.json["message"]) == (413, True)


def test_a_client_that_hangs_up(local: LocalNimble, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that ends in the middle of a body is nothing to answer or to log."""
    head = b"POST /_nimble-stop/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    assert exchange_bytes(local, head, half_close=True) == b""
    assert ask(local, "GET", "/health").status == 200
    assert not caplog.records


def test_a_connection_that_is_gone(local: LocalNimble) -> None:
    """A request whose connection was closed before it is read is not carried out."""
    request = mock.create_autospec(web.BaseRequest, instance=True)
    request.transport = None
    with pytest.raises(ConnectionResetError):
        asyncio.run(Admin(local, local._operations.store, 80)(request, b"/_nimble-stop/health"))


def test_while_the_endpoint_is_being_closed(
    local: LocalNimble, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that comes too late is neither carried out nor a failure."""
    assert local._admin is not None
    local._admin.close()
    head = b"GET /_nimble-stop/clock HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert exchange_bytes(local, head) == b""
    assert not caplog.records


def test_a_failure_of_ours(local: LocalNimble, caplog: pytest.LogCaptureFixture) -> None:
    """What fails is an answer too, whose cause is in the log and not in the answer."""

    def broken_clock() -> float:
        raise ArithmeticError

    with LocalNimble(clock=broken_clock) as broken:
        reply = send(broken, "GET", "/_nimble-stop/clock", body=None, headers={})
    assert (reply.status, reply.json) == (
        500,
        {"message": "The endpoint failed; its log says why."},
    )
    assert "ArithmeticError" in caplog.text
    assert ask(local, "GET", "/health").status == 200


def test_a_busy_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs the store waits for it, and what does not is answered meanwhile."""
    path = tmp_path / "store"
    with (
        LocalNimble(db=str(path)) as local,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        waiting: list[Reply] = []
        threads = [
            threading.Thread(target=lambda: waiting.append(ask(local, "GET", "/clock")))
            for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        assert ask(local, "GET", "/health").json["store"] == "busy"
        assert ask(local, "GET", "/faults").status == 200
        assert waiting == []
        other.execute("ROLLBACK")
        for thread in threads:
            thread.join(10)
        assert [reply.status for reply in waiting] == [200] * 12
        monkeypatch.setattr(busy, "BUSY_SECONDS", 0.05)
        other.execute("BEGIN IMMEDIATE")
        reply = ask(local, "DELETE", "/state")
        assert reply.status == 503
        assert "nothing was changed" in reply.json["message"]
        other.execute("ROLLBACK")


def test_closing_while_requests_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the server does not wait for the store."""
    monkeypatch.setattr(busy, "BUSY_SECONDS", 60)
    path = tmp_path / "store"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        local = LocalNimble(db=str(path)).start()
        other.execute("BEGIN IMMEDIATE")
        with connect(local) as connection:
            connection.sendall(b"GET /_nimble-stop/clock HTTP/1.1\r\nHost: localhost\r\n\r\n")
            deadline = time.monotonic() + 10
            while not _is_waiting() and time.monotonic() < deadline:
                time.sleep(0.01)
            started = time.monotonic()
            local.close()
            assert time.monotonic() - started < busy.BUSY_SECONDS / 2
            assert receive(connection) == b""
        other.execute("ROLLBACK")


def _is_waiting() -> bool:
    return any(thread.name.startswith("nimble-stop-admin") for thread in threading.enumerate())


def test_no_secret_gets_out() -> None:
    """Neither a secret key nor a session token nor a signature is in anything that is answered."""
    key = AccessKey("AKID", "the-secret-key", "the-session-token")
    with LocalNimble(credentials=key, admin_token="the-admin-token") as local:
        local.add_session(studio_id="s", session_id="x")
        path = session_path("s", "x")
        headers = signed_headers(local, "GET", path)
        signature = headers["Authorization"].rpartition("=")[2]
        send(local, "GET", path, body=None, headers={**headers, "X-Amz-Date": "20200101T000000Z"})
        wrong = {**headers, "Authorization": headers["Authorization"][:-4] + "0000"}
        send(local, "GET", path, body=None, headers=wrong)
        presigned = f"{path}?X-Amz-Signature={signature}&X-Amz-Security-Token=the-session-token"
        send(local, "GET", presigned, body=None, headers=headers)
        get(local, "s", "x")
        stop(local, "s", "x")
        bearer = {"Authorization": "Bearer the-admin-token"}
        paths = ("/requests", "/sessions", "/state", "/faults", "/clock", "/health")
        shown = b"".join(ask(local, "GET", path, headers=bearer).body for path in paths)
        events = local.events.after(0) or []
        shown += repr([*events, *(event.data for event in events)]).encode()
        assert ask(local, "GET", "/sessions").status == 401
    assert b"InvalidSignatureException" in shown
    assert b"stringToSign" in shown
    for secret in (key.secret_access_key, key.session_token, "the-admin-token", signature[:-4]):
        assert str(secret).encode() not in shown


def test_curl_alone() -> None:
    """A shell script does with curl what a test does with Python."""
    curl, shell = shutil.which("curl"), shutil.which("sh")
    assert curl
    assert shell
    script = Path(__file__).parents[2] / "examples" / "admin_api.sh"
    with LocalNimble() as local:
        done = subprocess.run(
            [shell, str(script)],
            env={"AWS_ENDPOINT_URL_NIMBLE": local.endpoint_url, "PATH": os.defpath},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Everything works.\n")
