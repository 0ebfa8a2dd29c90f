from __future__ import annotations

from nimble_stop.local.api.canonical import SignedRequest
from nimble_stop.local.api.explanation import explain_signature

SCOPE = ("20261124", "us-east-1", "nimble", "aws4_request")
EXPECTED = ("20261125", "us-west-2", "nimble", "aws4_request")


def explain(
    *, headers: dict[bytes, list[bytes]], signed_headers: str, query: bytes = b""
) -> dict[str, str]:
    """Explain the signature of a request."""
    request = SignedRequest(method="GET", path=b"/x", query=query, headers=headers, body=b"")
    return explain_signature(
        request, scope=SCOPE, expected_scope=EXPECTED, signed_headers=signed_headers
    )


def test_what_was_sent_beside_what_is_computed() -> None:
    """Scope and names as they were sent stand beside what the endpoint makes of them."""
    headers = {b"host": [b"localhost"], b"x-amz-date": [b" 20261124T000000Z"]}
    explanation = explain(headers=headers, signed_headers="host;x-amz-date")
    assert explanation["credentialScope"] == "20261124/us-east-1/nimble/aws4_request"
    assert explanation["expectedScope"] == "20261125/us-west-2/nimble/aws4_request"
    assert explanation["signedHeaders"] == "host;x-amz-date"
    assert explanation["canonicalRequest"].split("\n")[:6] == [
        "GET", "/x", "", "host:localhost", "x-amz-date:20261124T000000Z", "",
    ]  # fmt: skip
    assert explanation["stringToSign"].split("\n")[:3] == [
        "AWS4-HMAC-SHA256", "20261124T000000Z", "20261124/us-east-1/nimble/aws4_request",
    ]  # fmt: skip


def test_secrets_are_left_out() -> None:
    """Neither a session token nor a signature is shown, wherever a client has put it."""
    headers = {
        b"authorization": [b"AWS4 Signature=hidden-1"],
        b"cookie": [b"session=hidden-2"],
        b"host": [b"localhost"],
        b"x-amz-security-token": [b"hidden-3"],
    }
    explanation = explain(
        headers=headers,
        signed_headers="authorization;cookie;host;x-amz-security-token",
        query=b"X-Amz-Signature=hidden-4&a=b&X-Amz-Security-Token=hidden-5",
    )
    assert "hidden" not in str(explanation)
    assert "x-amz-security-token:***\n" in explanation["canonicalRequest"]
    assert "a=b" in explanation["canonicalRequest"]


def test_whatever_was_signed() -> None:
    """A header that was not sent has no value, and names may be any text."""
    explanation = explain(headers={}, signed_headers="host;;\xff")
    assert "host:\n:\n\xff:\n" in explanation["canonicalRequest"]


def test_it_is_bounded() -> None:
    """However much is signed, however often, an explanation stays small."""
    headers = {b"h": [b"x" * 10_000]}
    explanation = explain(headers=headers, signed_headers=";".join(["h"] * 8_000))
    assert all(len(text) <= 4_096 for text in explanation.values())
