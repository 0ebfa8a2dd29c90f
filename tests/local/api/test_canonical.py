from __future__ import annotations

import hashlib

import pytest

from nimble_stop.local.api.canonical import SignedRequest, compute_signature

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
        SignedRequest(method=method, path=path, query=query, headers=given, body=b""),
        secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        date="20150830T123600Z",
        scope=("20150830", "us-east-1", "service", "aws4_request"),
        signed_headers=b";".join(sorted(given)).decode(),
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
