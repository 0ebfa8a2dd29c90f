"""One request as the journal keeps it.

It holds no secrets: no signature, no session token, no secret key.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # the admin API reads the fields' types
from datetime import datetime  # noqa: TC003  # likewise

import attrs

__all__ = ["RequestRecord"]


@attrs.frozen(kw_only=True)
class RequestRecord:
    """One request that came in.

    Args:
        number: Its number in the journal, from 1; 0 for a record of no journal.
        time: When it was answered, by the server's clock, UTC.
        method: The HTTP method.
        path: The target as it was sent, its first 2,048 bytes; a signature or session token in its
            query is left out.
        operation: The API operation; None when there is none of that path.
        studio_id: The studio that the path names.
        session_id: The session that the path names.
        caller: Who signed it; None when the signature was not accepted.
        client_token: The idempotency token.
        attempt: The ``amz-sdk-request`` header, such as ``"attempt=1; max=3"``.
        invocation_id: The ``amz-sdk-invocation-id`` header.
        user_agent: The ``User-Agent`` header.
        body: The request's body, its first 2,048 bytes.
        status: The status that was answered; None when the connection was reset instead.
        error_code: The error code that was answered.
        error_message: Why the endpoint refused the request; None for a fault's error.
        verification: For a signature that was refused, what was ``sent`` (of it
            ``credentialScope`` and ``signedHeaders``) and what the endpoint makes of it:
            ``expectedScope``, ``canonicalRequest``, ``stringToSign``. Without secrets; None when
            there was no signature that could be read.
        request_id: The answer's ``x-amzn-requestid``.
        applied: Whether this very request changed something. A repeated one, answered from what
            was done before, did not.
        faults: The names of the faults that happened to it.
        seconds: How long it took from the request to the answer.
    """

    time: datetime
    method: str
    path: str
    operation: str | None
    studio_id: str | None
    session_id: str | None
    caller: str | None
    client_token: str | None
    attempt: str | None
    invocation_id: str | None
    user_agent: str | None
    body: bytes
    status: int | None
    error_code: str | None
    request_id: str
    applied: bool
    faults: tuple[str, ...]
    seconds: float
    number: int = 0
    error_message: str | None = None
    verification: Mapping[str, str] | None = attrs.field(default=None, repr=False)

    def to_dict(self) -> dict[str, object]:
        """Return the record in JSON's types: camelCase names, the time as RFC 3339 text.

        The body is text; bytes in it that are not UTF-8 are replaced.
        """
        return {
            "number": self.number,
            "time": self.time.isoformat().removesuffix("+00:00") + "Z",
            "method": self.method,
            "path": self.path,
            "operation": self.operation,
            "studioId": self.studio_id,
            "sessionId": self.session_id,
            "caller": self.caller,
            "clientToken": self.client_token,
            "attempt": self.attempt,
            "invocationId": self.invocation_id,
            "userAgent": self.user_agent,
            "body": self.body.decode(errors="replace"),
            "status": self.status,
            "errorCode": self.error_code,
            "errorMessage": self.error_message,
            "verification": None if self.verification is None else dict(self.verification),
            "requestId": self.request_id,
            "applied": self.applied,
            "faults": list(self.faults),
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        what = self.operation or f"{self.method} {self.path!r}"
        where = "/".join(repr(name) for name in (self.studio_id, self.session_id) if name)
        outcome = "connection reset" if self.status is None else str(self.status)
        details = [
            outcome,
            self.error_code or "",
            "applied" if self.applied else "",
            f"token={self.client_token!r}" if self.client_token else "",
            f"faults={','.join(self.faults)}" if self.faults else "",
        ]
        return " ".join(part for part in (what, where, "->", *details) if part)
