"""Signature Version 4.

Where the process uses botocore, botocore's `SigV4Auth` says what is signed. A process that does
not is not made to import it, which would take longer than the whole call: what is signed is then
written here, by the same rules. Tests hold the two equal.

Either way the moment is given (the service's clock may differ from ours), the key that is derived
for a day is kept, and nothing is logged: botocore's ``add_auth`` logs the session token.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from datetime import UTC, datetime
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    from nimble_stop._api.request import Request
    from nimble_stop._auth.credentials import Keys
    from nimble_stop._config.endpoint_url import Endpoint

_SERVICE: Final = "nimble"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class _Signable(NamedTuple):
    """The part of botocore's ``AWSRequest`` that a signature is made of. Its repr shows none."""

    method: str
    url: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    context: dict[str, Any]
    params: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        """Show no header: one of them holds the session token."""
        return f"<{type(self).__name__}>"


class _Canonical(NamedTuple):
    """The request in the one form that both sides hash, and the headers that are part of it."""

    text: str
    signed_headers: str


class _DayKey:
    """The key of a day, and the secret and the day it was derived from. Its repr shows neither."""

    __slots__ = ("key", "origin")

    def __init__(self, origin: tuple[str, str], key: bytes) -> None:
        self.origin = origin
        self.key = key


class Signer:
    """Signs the requests of one client."""

    def __init__(self, region_name: str) -> None:
        self._region_name = region_name
        # Read and replaced as one.
        self._last_key = _DayKey(("", ""), b"")

    def sign(
        self, request: Request[Any], endpoint: Endpoint, keys: Keys, epoch: float
    ) -> dict[str, str]:
        """Give the headers of a signed request.

        Args:
            request: The request.
            endpoint: Where it goes.
            keys: Who signs it.
            epoch: The moment to date it, in seconds since 1970 on the service's clock.

        Returns:
            The request's own headers and those that authenticate it.
        """
        timestamp = datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {"Host": endpoint.host_header, **request.headers, "X-Amz-Date": timestamp}
        if keys.token:
            headers["X-Amz-Security-Token"] = keys.token
        signable = _Signable(
            method=request.operation.method,
            url=endpoint.url_of(request.path, request.query),
            path=endpoint.target_of(request.path, ""),
            query=request.query,
            headers=headers,
            body=request.body,
            context={"timestamp": timestamp},
        )
        canonical = self._canonical(signable, keys)
        scope = f"{timestamp[:8]}/{self._region_name}/{_SERVICE}/aws4_request"
        digest = hashlib.sha256(canonical.text.encode()).hexdigest()
        text = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{digest}"
        key = self._signing_key(keys.secret_key, timestamp[:8])
        headers["Authorization"] = (
            f"{_ALGORITHM} Credential={keys.access_key}/{scope}, "
            f"SignedHeaders={canonical.signed_headers}, "
            f"Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"
        )
        return headers

    def _canonical(self, signable: _Signable, keys: Keys) -> _Canonical:
        if "botocore" not in sys.modules:
            return _canonical(signable)
        from botocore.auth import SigV4Auth

        auth = SigV4Auth(cast("Credentials", keys), _SERVICE, self._region_name)
        theirs = cast("AWSRequest", signable)
        return _Canonical(
            auth.canonical_request(theirs), auth.signed_headers(auth.headers_to_sign(theirs))
        )

    def _signing_key(self, secret_key: str, day: str) -> bytes:
        last = self._last_key
        if last.origin != (secret_key, day):
            scope = (day, self._region_name, _SERVICE, "aws4_request")
            key = reduce(
                lambda key, part: hmac.digest(key, part.encode(), "sha256"),
                scope,
                f"AWS4{secret_key}".encode(),
            )
            last = self._last_key = _DayKey((secret_key, day), key)
        return last.key


def _canonical(signable: _Signable) -> _Canonical:
    """Write the canonical request.

    The path is percent-encoded once more, without its empty segments; the query is sorted already;
    a run of blanks in a header counts as one.
    """
    segments = filter(None, signable.path.split("/"))
    headers = {name.lower(): " ".join(text.split()) for name, text in signable.headers.items()}
    signed_headers = ";".join(sorted(headers))
    lines = [
        signable.method,
        quote("/" + "/".join(segments)),
        signable.query,
        *(f"{name}:{text}" for name, text in sorted(headers.items())),
        "",
        signed_headers,
        hashlib.sha256(signable.body).hexdigest(),
    ]
    return _Canonical("\n".join(lines), signed_headers)
