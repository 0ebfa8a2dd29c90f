from __future__ import annotations

import hashlib

import pytest

from nimble_stop.local.api.canonical import (
    Authorization,
    compute_signature,
    explain_signature,
)
from tests.local.api.support import exchange

# From AWS's Signature Version 4 test suite: method, path, query, and the signature.
VECTORS = {
    "get-vanilla": (
        "GET",
        b"/",
        b"",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "post-vanilla": (
        "POST",
        b"/",
        b"",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "get-vanilla-query-order-key-case": (
        "GET",
        b"/",
        b"Param2=value2&Param1=value1",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
}

SCOPE = "20261124/us-east-1/nimble/aws4_request"
EXPECTED = "20261125/us-west-2/nimble/aws4_request"


def signature(
    *,
    method: str = "GET",
    path: bytes = b"/",
    query: bytes = b"",
    headers: dict[bytes, list[bytes]] | None = None,
) -> str:
    """Sign as AWS's test suite does."""
    given = headers or {}
    given = {b"host": [b"example.amazonaws.com"], b"x-amz-date": [b"20150830T123600Z"], **given}
    return compute_signature(
        exchange(method=method, path=path, query=query, headers=given),
        Authorization(
            "AKIDEXAMPLE",
            "20150830/us-east-1/service/aws4_request",
            "20150830T123600Z",
            tuple(sorted(given)),
            "",
        ),
        secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        body_hash=hashlib.sha256(b"").hexdigest(),
    )


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_vectors(name: str) -> None:
    """The signatures are those that AWS published."""
    method, path, query, expected = VECTORS[name]
    assert signature(method=method, path=path, query=query) == expected


def test_a_path_is_encoded_once_more() -> None:
    """The encoding on the wire is part of what is signed."""
    assert signature(path=b"/a%2Fb") != signature(path=b"/a/b")
    assert signature(path=b"/a%2Fb") != signature(path=b"/a%2fb")


def test_spaces_in_a_header_are_collapsed() -> None:
    """Runs of spaces do not matter, the order of several values does."""
    once = signature(headers={b"x-a": [b"b c"]})
    assert signature(headers={b"x-a": [b"  b    c "]}) == once
    both = signature(headers={b"x-a": [b"b", b"c"]})
    assert both == signature(headers={b"x-a": [b"b,c"]})
    assert both != signature(headers={b"x-a": [b"c", b"b"]})


def test_an_escape_in_a_query_means_its_character() -> None:
    """It does not matter how a query's character is written, nor whether a pair is empty."""
    assert signature(query=b"a=%62&&c") == signature(query=b"c=&a=b")


def test_plus_in_a_query_is_a_plus() -> None:
    """A plus sign is no space."""
    assert signature(query=b"a=b+c") == signature(query=b"a=b%2Bc")
    assert signature(query=b"a=b+c") != signature(query=b"a=b%20c")


def explain(
    *, headers: dict[bytes, list[bytes]], signed_headers: str, query: bytes = b""
) -> dict[str, str]:
    """Explain the signature of a request."""
    names = tuple(signed_headers.encode("latin-1").split(b";"))
    said = Authorization("AKID", SCOPE, "20261124T000000Z", names, "")
    return explain_signature(exchange(query=query, headers=headers), said, EXPECTED)


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
        query=b"X%2DAmz-Signature=hidden-4&a=b&X-Amz-Security-Token=hidden-5",
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
