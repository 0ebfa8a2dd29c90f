"""What a signature of Version 4 is computed from, and why one was refused; pure.

It is written from AWS's description alone and shares no code with any signer, so that it is an
independent judge of them. Everything that was sent is bytes here, as it was sent.
See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

An explanation holds no secret: no signature, no session token and nothing that is computed with a
secret key. It is made only when a request was refused.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

import attrs

from nimble_stop.local.api.request_target import hide_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nimble_stop.local.api.exchange import Exchange

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"
# Whatever a client signs of its secrets is a header of one of these names or a parameter of a
# query; the signature is a part of the Authorization header too.
_SECRETS: Final = re.compile(
    rb"(?im)(^(?:x-amz-security-token|proxy-authorization|cookie):)[^\n]*"
    rb"|(X-Amz-(?:Security-Token|Signature)=)[^&\n]*"
    rb"|([ ,:]Signature=)[^,\n]*"
)
# The journal keeps thousands of explanations.
_KEPT_CHARACTERS: Final = 4_096
# A name that is signed often would be written often.
_MOST_HEADERS: Final = 128


@attrs.frozen
class Authorization:
    """What a request says of its signature, in ``Authorization`` and ``X-Amz-Date``.

    The scope is day, region, service and terminator, with a slash between them.
    """

    access_key_id: str
    scope: str
    date: str
    signed_headers: tuple[bytes, ...]
    signature: str = attrs.field(repr=False)


def compute_signature(
    exchange: Exchange, said: Authorization, *, secret: str, body_hash: str
) -> str:
    """Compute the signature that a request should carry; it and the hash are hexadecimal."""
    to_sign = _string_to_sign(_canonical_request(exchange, said.signed_headers, body_hash), said)
    return hmac.digest(_signing_key(secret, said.scope), to_sign.encode(), "sha256").hex()


def explain_signature(
    exchange: Exchange, said: Authorization, expected_scope: str
) -> dict[str, str]:
    """Describe how a request was signed, for the journal.

    Returns:
        What was ``sent``, the signed part of the request's head as it came, and of it
        ``credentialScope`` and ``signedHeaders``; beside it what the endpoint expects and computes:
        ``expectedScope``, ``canonicalRequest`` and ``stringToSign``.
    """
    names = said.signed_headers[:_MOST_HEADERS]
    canonical = _canonical_request(exchange, names, hashlib.sha256(exchange.body).hexdigest())
    explanation = {
        "sent": _without_secrets(_signed_head(exchange, {*names, b"authorization"})),
        "credentialScope": said.scope,
        "expectedScope": expected_scope,
        "signedHeaders": b";".join(said.signed_headers).decode("latin-1"),
        "canonicalRequest": _without_secrets(canonical),
        # Its last line is the hash of the canonical request as it is, not as it is shown.
        "stringToSign": _string_to_sign(canonical, said),
    }
    return {name: text[:_KEPT_CHARACTERS] for name, text in explanation.items()}


def _signed_head(exchange: Exchange, names: Collection[bytes]) -> bytes:
    """Write the named part of a request's head as it was sent."""
    target = hide_secrets(b"?".join(filter(None, (exchange.target.path, exchange.target.query))))
    headers = ((name, values) for name, values in exchange.headers.items() if name in names)
    lines = [b"%b: %b" % (name, value) for name, values in headers for value in values]
    return b"\n".join([b"%b %b" % (exchange.method.encode(), target), *lines])


def _without_secrets(text: bytes) -> str:
    return _SECRETS.sub(rb"\1\2\3***", text).decode("latin-1")


def _string_to_sign(canonical: bytes, said: Authorization) -> str:
    digest = hashlib.sha256(canonical).hexdigest()
    return f"{ALGORITHM}\n{said.date}\n{said.scope}\n{digest}"


def _canonical_request(exchange: Exchange, names: Sequence[bytes], body_hash: str) -> bytes:
    """Write a request in the form that is signed; a header that was not sent has no value."""
    headers = b"".join(
        b"%b:%b\n"
        % (name, b",".join(b" ".join(value.split()) for value in exchange.headers.get(name, ())))
        for name in names
    )
    return b"\n".join(
        (
            exchange.method.encode(),
            # What stands on the wire is encoded once more, by every service but S3.
            quote(exchange.target.path, safe="/" + _UNRESERVED).encode(),
            _canonical_query(exchange.target.query),
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
def _signing_key(secret: str, scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
