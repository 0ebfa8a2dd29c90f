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
    from collections.abc import Mapping, Sequence

__all__ = [
    "ALGORITHM",
    "SignedRequest",
    "canonical_request",
    "compute_signature",
    "string_to_sign",
]

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


def compute_signature(
    request: SignedRequest,
    *,
    secret: str,
    date: str,
    scope: tuple[str, str, str, str],
    signed_headers: str,
    body_hash: str,
) -> str:
    """Compute the signature that a request should carry.

    Args:
        request: What came in.
        secret: The caller's secret access key.
        date: The ``X-Amz-Date`` header.
        scope: Day, region, service and terminator.
        signed_headers: The names of the signed headers, separated by semicolons.
        body_hash: The SHA-256 of the body, in hexadecimal.

    Returns:
        The signature in hexadecimal.
    """
    canonical = canonical_request(request, signed_headers.split(";"), body_hash)
    to_sign = string_to_sign(canonical, date=date, scope=scope)
    return hmac.digest(_signing_key(secret, *scope), to_sign.encode(), "sha256").hex()


def string_to_sign(canonical: bytes, *, date: str, scope: tuple[str, str, str, str]) -> str:
    """Write what is signed of a canonical request.

    Args:
        canonical: The canonical request.
        date: The ``X-Amz-Date`` header.
        scope: Day, region, service and terminator.
    """
    digest = hashlib.sha256(canonical).hexdigest()
    return f"{ALGORITHM}\n{date}\n{'/'.join(scope)}\n{digest}"


def canonical_request(
    request: SignedRequest, signed_headers: Sequence[str], body_hash: str
) -> bytes:
    """Write a request in the form that is signed.

    Args:
        request: What came in.
        signed_headers: The names of the signed headers; one that was not sent has no value.
        body_hash: The SHA-256 of the body, in hexadecimal.
    """
    names = [name.encode("latin-1") for name in signed_headers]
    headers = b"".join(
        name
        + b":"
        + b",".join(b" ".join(value.split()) for value in request.headers.get(name, ()))
        + b"\n"
        for name in names
    )
    return b"\n".join(
        (
            request.method.encode(),
            # What stands on the wire is encoded once more, by every service but S3.
            quote(request.path, safe="/" + _UNRESERVED).encode(),
            _canonical_query(request.query),
            headers,
            b";".join(names),
            body_hash.encode(),
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
