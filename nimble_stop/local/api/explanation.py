"""Why a signature was refused: what was sent and what the endpoint makes of it, pure.

This module owns the rule that no explanation holds a secret: no signature, no session token and
nothing that is computed with a secret key. It is made only when a request was refused.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from nimble_stop.local.api.canonical import canonical_request, string_to_sign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nimble_stop.local.api.canonical import SignedRequest

__all__ = ["explain_signature"]

# Whatever a client signs of its secrets is a header of one of these names or a parameter of a
# query; the signature is a part of the Authorization header too.
_SECRETS: Final = re.compile(
    rb"(?im)(^(?:x-amz-security-token|proxy-authorization|cookie):)[^\n]*"
    rb"|(X-Amz-(?:Security-Token|Signature)=)[^&\n]*"
    rb"|([ ,:]Signature=)[^,\n]*"
)
# The journal keeps thousands of them.
_KEPT_CHARACTERS: Final = 4_096
# A name that is signed often would be written often.
_MOST_HEADERS: Final = 128


def explain_signature(
    request: SignedRequest,
    *,
    scope: tuple[str, str, str, str],
    expected_scope: tuple[str, str, str, str],
    signed_headers: str,
) -> dict[str, str]:
    """Describe how a request was signed, for the journal.

    Args:
        request: What came in.
        scope: Day, region, service and terminator, as the client sent them.
        expected_scope: The same, as the endpoint expects them.
        signed_headers: The names of the signed headers, as the client sent them.

    Returns:
        What was ``sent``, the signed part of the request's head as it came, and of it
        ``credentialScope`` and ``signedHeaders``; beside it what the endpoint expects and computes:
        ``expectedScope``, ``canonicalRequest`` and ``stringToSign``.
    """
    names = signed_headers.split(";")[:_MOST_HEADERS]
    canonical = canonical_request(request, names, hashlib.sha256(request.body).hexdigest())
    date = b",".join(request.headers.get(b"x-amz-date", [])).decode("latin-1")
    explanation = {
        "sent": _without_secrets(_signed_head(request, names)),
        "credentialScope": "/".join(scope),
        "expectedScope": "/".join(expected_scope),
        "signedHeaders": signed_headers,
        "canonicalRequest": _without_secrets(canonical),
        # Its last line is the hash of the canonical request as it is, not as it is shown.
        "stringToSign": string_to_sign(canonical, date=date.strip(), scope=scope),
    }
    return {name: text[:_KEPT_CHARACTERS] for name, text in explanation.items()}


def _signed_head(request: SignedRequest, signed_headers: Sequence[str]) -> bytes:
    """Write the signed part of a request's head, and the signature's header, as they were sent."""
    target = b"?".join(filter(None, (request.path, request.query)))
    names = {*(name.encode("latin-1") for name in signed_headers), b"authorization"}
    headers = ((name, values) for name, values in request.headers.items() if name in names)
    lines = [b"%b: %b" % (name, value) for name, values in headers for value in values]
    return b"\n".join([b"%b %b" % (request.method.encode(), target), *lines])


def _without_secrets(text: bytes) -> str:
    return _SECRETS.sub(rb"\1\2\3***", text).decode("latin-1")
