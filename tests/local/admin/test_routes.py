from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from nimble_stop import __version__
from nimble_stop.local import LocalNimble
from nimble_stop.local.storage import busy
from tests.local.admin.support import ask
from tests.local.support import get, send, session_path, signed_headers, stop

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def test_health(local: LocalNimble) -> None:
    """It says what serves, since when, and that the store answers."""
    health = ask(local, "GET", "/health").json
    assert health == {
        "status": "ok",
        "name": "nimble-stop",
        "version": __version__,
        "uptimeSeconds": health["uptimeSeconds"],
        "store": "ok",
    }


def test_health_while_the_store_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes, health is answered at once and says so."""
    # Longer than the client waits for an answer.
    monkeypatch.setattr(busy, "BUSY_SECONDS", 60)
    path = tmp_path / "store"
    with LocalNimble(db=str(path)) as local:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            health = ask(local, "GET", "/health")
            other.execute("ROLLBACK")
        assert health.json["store"] == "busy"
        assert ask(local, "GET", "/health").json["store"] == "ok"


def test_health_of_a_broken_store(local: LocalNimble) -> None:
    """A store that cannot be used any more is no reason not to answer, nor not to close."""
    local._operations.store.close()
    assert ask(local, "GET", "/health").json["store"] == "failed"


def test_the_page_and_its_files(local: LocalNimble) -> None:
    """The page is a file, which comes with its type."""
    page = ask(local, "GET", "/")
    assert page.body.startswith(b"<!DOCTYPE html>")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert ask(local, "GET", "/page/index.html").body == page.body


@pytest.mark.parametrize("name", ["no.css", "..%2Fadmin.py", "__init__.py", "index.html%2F"])
def test_nothing_else_is_served(local: LocalNimble, name: str) -> None:
    """A name that is no file of the page is refused, and the answer names those that are."""
    reply = ask(local, "GET", f"/page/{name}")
    assert reply.status == 404
    assert "index.html" in reply.json["message"]


def test_logging_in() -> None:
    """The page gets a cookie for the token, and loses it again."""
    with LocalNimble(admin_token="a-token") as local:
        assert ask(local, "GET", "/sessions").status == 401
        assert ask(local, "POST", "/login", {"token": "b-token"}).status == 401
        assert ask(local, "POST", "/login", {"token": 7}).status == 400
        cookie = ask(local, "POST", "/login", {"token": "a-token"}).headers["set-cookie"]
        headers = {"Cookie": cookie.partition(";")[0]}
        assert ask(local, "GET", "/sessions", headers=headers).status == 200
        assert "Max-Age=0" in ask(local, "DELETE", "/login").headers["set-cookie"]


def test_a_token_guards_all_but_the_page() -> None:
    """Without the token there is the page, its document and its health, and AWS's API."""
    with LocalNimble(admin_token="a-token") as local:
        for path in ("/", "/health", "/openapi.json", "/page/index.html"):
            assert ask(local, "GET", path).status == 200
        for path in ("/sessions", "/faults", "/requests", "/clock", "/state", "/events"):
            assert ask(local, "GET", path).status == 401
        for path in ("/state", "/faults", "/requests", "/faults/1", "/sessions/s/x"):
            assert ask(local, "DELETE", path).status == 401
        assert get(local, "s", "x").status == 404
        headers = {"Authorization": "Bearer a-token"}
        assert ask(local, "GET", "/state", headers=headers).status == 200


def requests(local: LocalNimble, query: str = "") -> list[dict[str, Any]]:
    """Read the journal."""
    found: list[dict[str, Any]] = ask(local, "GET", f"/requests{query}").json["requests"]
    return found


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3, 4]),
        ("?operation=StopStreamingSession", [2, 3]),
        ("?sessionId=none", [4]),
        ("?studioId=studio-1&status=200", [1, 2]),
        ("?errorCode=ConflictException", [3]),
        ("?operation=GetStreamingSession&errorCode=ConflictException", []),
        ("?after=2", [3, 4]),
        ("?after=9", []),
        ("?limit=2", [3, 4]),
        ("?after=0&limit=2", [1, 2]),
        ("?status=200&limit=1", [2]),
    ],
)
def test_filters(query: str, numbers: list[int]) -> None:
    """The filters combine; the limit gives the newest or, behind a number, the next."""
    with LocalNimble(transition_seconds=None) as local:
        local.add_session(studio_id="studio-1", session_id="session-1")
        get(local, "studio-1", "session-1")
        stop(local, "studio-1", "session-1")
        stop(local, "studio-1", "session-1")
        get(local, "studio-1", "none")
        assert [request["number"] for request in requests(local, query)] == numbers


def test_following(local: LocalNimble) -> None:
    """A client asks for what came after the last number; clearing does not begin anew."""
    get(local, "studio-1", "session-1")
    last = ask(local, "GET", "/requests").json["lastNumber"]
    assert requests(local, f"?after={last}") == []
    assert ask(local, "DELETE", "/requests").status == 204
    assert len(local.requests) == 0
    get(local, "studio-1", "session-1")
    assert [request["number"] for request in requests(local, f"?after={last}")] == [last + 1]


def test_an_empty_journal(local: LocalNimble) -> None:
    """The last number is the one that was asked with, so that a client can go on with it."""
    empty: dict[str, object] = {"requests": [], "lastNumber": 7, "dropped": 0}
    assert ask(local, "GET", "/requests?after=7").json == empty


def test_a_full_journal() -> None:
    """What is gone is counted."""
    with LocalNimble(journal_size=1) as local:
        get(local, "s", "x")
        get(local, "s", "x")
        reply = ask(local, "GET", "/requests")
    assert (reply.json["dropped"], reply.json["lastNumber"]) == (1, 2)


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("Signature=", "Signature=0", "InvalidSignatureException", "does not match"),
        ("us-west-2", "us-east-1", "InvalidSignatureException", "valid region"),
        ("LOCALNIMBLE", "SOMEBODY", "UnrecognizedClientException", "invalid"),
        ("host;", "", "InvalidSignatureException", "Host"),
    ],
)
def test_why_a_signature_was_refused(
    local: LocalNimble, old: str, new: str, error: str, message: str
) -> None:
    """The journal shows what was sent beside what the endpoint computed, and no signature."""
    path = session_path("studio-1", "session-1")
    headers = signed_headers(local, "GET", path)
    signature = headers["Authorization"].rpartition("=")[2]
    headers["Authorization"] = headers["Authorization"].replace(old, new)
    send(local, "GET", path, body=None, headers=headers)
    (request,) = requests(local)
    assert request["errorCode"] == error
    assert message in request["errorMessage"]
    verification = request["verification"]
    assert verification["credentialScope"] in headers["Authorization"]
    assert f"SignedHeaders={verification['signedHeaders']}," in headers["Authorization"]
    assert verification["expectedScope"].endswith("/us-west-2/nimble/aws4_request")
    assert verification["canonicalRequest"].startswith(f"GET\n{path}\n")
    assert verification["stringToSign"].startswith("AWS4-HMAC-SHA256\n")
    assert signature not in str(request)


def test_why_there_is_no_signature(local: LocalNimble) -> None:
    """What cannot be read as a signature is explained by the message alone."""
    send(local, "GET", session_path("studio-1", "session-1"), body=None, headers={})
    (request,) = requests(local)
    assert request["errorMessage"] == "Missing Authentication Token"
    assert request["verification"] is None


def test_an_accepted_request_is_not_explained(local: LocalNimble) -> None:
    """Nothing is computed for a request that was accepted, even if it was refused later."""
    stop(local, "studio-1", "session-1")
    get(local, "studio-1", "none")
    assert [request["verification"] for request in requests(local)] == [None, None]
    assert requests(local)[1]["errorMessage"] == "Streaming session not found."
