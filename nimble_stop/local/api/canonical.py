"""What a signature of Version 4 is computed from, pure.

It is written from AWS's description alone and shares no code with any signer, so that it is an
independent judge of them. Everything that was sent is bytes here, as it was sent.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALGORITHM", "Computation", "SignedRequest", "compute_signature"]

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"


@attrs.frozen(kw_only=True)
class SignedRequest:
    """The parts of a request that a signature covers.

    Args:
        method: The HTTP method.
        path: The path as it was sent, without the query.
        query: The query as it was sent, without the question mark.
        headers: The values of each header, under its name in lower case.
        body: The whole body.
    """

    method: str
    path: bytes
    query: bytes
    headers: Mapping[bytes, list[bytes]] = attrs.field(repr=False)
    body: bytes


@attrs.frozen
class Computation:
    """A computed signature, and what it is made of.

    Args:
        signature: The signature in hexadecimal.
        canonical_request: The canonical request; it holds a session token where there is one.
        string_to_sign: The string to sign.
    """

    signature: str = attrs.field(repr=False)
    canonical_request: bytes = attrs.field(repr=False)
    string_to_sign: str


def compute_signature(
    request: SignedRequest,
    *,
    secret: str,
    date: str,
    scope: tuple[str, str, str, str],
    signed_headers: str,
    body_hash: str,
) -> Computation:
    """Compute the signature that a request should carry, and what it is made of.

    Args:
        request: What came in; each of the signed headers is there.
        secret: The caller's secret access key.
        date: The ``X-Amz-Date`` header.
        scope: Day, region, service and terminator.
        signed_headers: The names of the signed headers, separated by semicolons.
        body_hash: The SHA-256 of the body, in hexadecimal.

    """
    canonical = _canonical_request(request, signed_headers.encode("latin-1"), body_hash.encode())
    digest = hashlib.sha256(canonical).hexdigest()
    string_to_sign = f"{ALGORITHM}\n{date}\n{'/'.join(scope)}\n{digest}"
    key = _signing_key(secret, *scope)
    signature = hmac.digest(key, string_to_sign.encode(), "sha256").hex()
    return Computation(signature, canonical, string_to_sign)


def _canonical_request(request: SignedRequest, signed_headers: bytes, body_hash: bytes) -> bytes:
    headers = b"".join(
        name + b":" + b",".join(b" ".join(value.split()) for value in request.headers[name]) + b"\n"
        for name in signed_headers.split(b";")
    )
    return b"\n".join(
        (
            request.method.encode(),
            # What stands on the wire is encoded once more, by every service but S3.
            quote(request.path, safe="/" + _UNRESERVED).encode(),
            _canonical_query(request.query),
            headers,
            signed_headers,
            body_hash,
        )
    )


def _canonical_query(query: bytes) -> bytes:
    pairs: list[tuple[str, str]] = []
    for pair in filter(None, query.split(b"&")):
        name, _, value = pair.partition(b"=")
        pairs.append((_encode_again(name), _encode_again(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs)).encode()


def _encode_again(text: bytes) -> str:
    return quote(unquote_to_bytes(text), safe=_UNRESERVED)


# A key is good for a day and costs four hashes; few are in use at a time.
@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, region: str, service: str, terminator: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, terminator):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
