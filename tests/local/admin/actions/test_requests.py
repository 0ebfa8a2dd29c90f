from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import LocalNimble
from tests.local.admin.support import ask
from tests.local.support import get, send, session_path, stop

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


def test_why_a_signature_was_refused(local: LocalNimble) -> None:
    """The journal shows what the endpoint computed, and none of the secrets."""
    path = session_path("studio-1", "session-1")
    signature = "5" * 64
    key = local.credentials
    headers = {
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={key.access_key}/20261124/us-west-2/nimble/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={signature}"
        ),
    }
    send(local, "GET", path, body=None, headers=headers)
    (request,) = requests(local)
    assert request["errorCode"] == "IncompleteSignatureException"
    assert "X-Amz-Date" in request["errorMessage"]
    assert signature not in str(request)
