from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import LocalNimble
from nimble_stop.local.faults.points import kinds_of_faults
from tests.local.admin.support import DOCUMENT, ask
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


def test_a_fault_happens_and_is_counted(local: LocalNimble) -> None:
    """A fault is listed with its number, how often it happened and how often it may still."""
    fault = {"fault": "ServiceFailure", "code": "ThrottlingException", "times": 2}
    added = ask(local, "POST", "/faults", fault)
    assert added.status == 201
    assert added.json == {"id": added.json["id"], "fired": 0, "left": 2, **fault}
    assert get(local, "studio-1", "session-1").error == "ThrottlingException"
    assert ask(local, "GET", "/faults").json == {"faults": [{**added.json, "fired": 1, "left": 1}]}


def test_several_at_once(local: LocalNimble) -> None:
    """A fault file's list is taken as it is; what has no limit has any number of times left."""
    faults = [
        {"fault": "Latency", "seconds": 0, "session_id": "session-1"},
        {"fault": "StopFails", "operation": "StopStreamingSession"},
    ]
    reply = ask(local, "POST", "/faults", faults)
    assert [fault["left"] for fault in reply.json["faults"]] == [None, None]
    assert ask(local, "GET", "/faults").json == reply.json


def test_all_or_none(local: LocalNimble) -> None:
    """One that is no fault keeps the others out, and is named by its place."""
    reply = ask(local, "POST", "/faults", [{"fault": "ResetAfterChange"}, {"fault": "Latncy"}])
    assert reply.status == 400
    assert reply.json["message"].startswith("[1].fault")
    assert "did you mean 'Latency'?" in reply.json["message"]
    assert local.faults == ()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({}, "fault.fault"),
        ({"fault": "Latency"}, "fault.seconds is missing"),
        ({"fault": "Latency", "seconds": "1"}, "fault.seconds must be"),
        ({"fault": "Latency", "seconds": 1, "time": 1}, "did you mean 'times'?"),
        ({"fault": "Latency", "seconds": 1, "operation": "StopSession"}, "StopStreamingSession"),
        ("Latency", "object"),
    ],
)
def test_a_fault_that_cannot_be(local: LocalNimble, fault: object, message: str) -> None:
    """The message names the key and what is allowed."""
    reply = ask(local, "POST", "/faults", fault)
    assert reply.status == 400
    assert message in reply.json["message"]


def test_removing(local: LocalNimble) -> None:
    """One is removed by its number, or all."""
    first, second, _ = ask(local, "POST", "/faults", [{"fault": "ResetAfterChange"}] * 3).json[
        "faults"
    ]
    assert ask(local, "DELETE", f"/faults/{first['id']}").status == 204
    reply = ask(local, "DELETE", f"/faults/{first['id']}")
    assert reply.status == 404
    assert str(second["id"]) in reply.json["message"]
    assert ask(local, "DELETE", "/faults").status == 204
    assert local.faults == ()
    assert ask(local, "DELETE", "/faults/7").json["message"].endswith("In force: none.")
    assert "whole number" in ask(local, "DELETE", "/faults/first").json["message"]


def test_every_kind_is_documented() -> None:
    """Each kind of fault has a schema, with what its rule takes and what it needs."""
    for kind in kinds_of_faults():
        schema = DOCUMENT["components"]["schemas"][kind.__name__]
        assert {"fault", "times", "skip", "operation"} <= schema["properties"].keys()
        assert schema["description"]
    assert DOCUMENT["components"]["schemas"]["Latency"]["required"] == ["fault", "seconds"]
