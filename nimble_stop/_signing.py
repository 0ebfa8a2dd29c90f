"""Signature Version 4, by botocore.

`Signer` goes through the same steps as botocore's ``add_auth``, with three differences: the moment
is given (the service's clock may differ from ours), the key that is derived for a day is kept, and
nothing is logged, because botocore logs the session token and the signature.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
from botocore.auth import SigV4Auth

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import ReadOnlyCredentials

    from nimble_stop._endpoint import Endpoint
    from nimble_stop._protocol import Request

_SERVICE: Final = "nimble"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@attrs.frozen
class _Signable:
    """The part of botocore's ``AWSRequest`` that a signature is made of."""

    method: str
    url: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes
    context: dict[str, Any]
    params: dict[str, str] = attrs.field(factory=dict[str, str])


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
        self,
        request: Request[Any],
        endpoint: Endpoint,
        credentials: ReadOnlyCredentials,
        epoch: float,
    ) -> dict[str, str]:
        """Give the headers of a signed request.

        Args:
            request: The request.
            endpoint: Where it goes.
            credentials: Who signs it.
            epoch: The moment to date it, in seconds since 1970 on the service's clock.

        Returns:
            The request's own headers and those that authenticate it.
        """
        timestamp = datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {"Host": endpoint.host_header, **request.headers, "X-Amz-Date": timestamp}
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
        signable = cast(
            "AWSRequest",
            _Signable(
                method=request.operation.method,
                url=endpoint.url_of(request.path, request.query),
                headers=headers,
                body=request.body,
                context={"timestamp": timestamp},
            ),
        )
        auth = SigV4Auth(credentials, _SERVICE, self._region_name)
        text = auth.string_to_sign(signable, auth.canonical_request(signable))
        key = self._signing_key(credentials.secret_key or "", timestamp[:8])
        headers["Authorization"] = (
            f"{_ALGORITHM} Credential={auth.scope(signable)}, "
            f"SignedHeaders={auth.signed_headers(headers)}, "
            f"Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"
        )
        return headers

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
