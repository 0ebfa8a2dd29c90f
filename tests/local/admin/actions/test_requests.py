from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import LocalNimble
from tests.local.admin.support import ask
from tests.local.support import get, send, session_path, signed_headers, stop

if TYPE_CHECKING:
    from typing import Any


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
