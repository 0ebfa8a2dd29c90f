"""One request on its way through the endpoint, and the record of it that the journal keeps.

A record holds no secrets: no signature, no session token, no secret key.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping  # noqa: TC003  # the admin API reads the fields' types
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.api.request_target import NOWHERE, Route, Target, hide_secrets
from nimble_stop.models import format_timestamp, member_name

if TYPE_CHECKING:
    from nimble_stop.local.api.answer import Answer, Refusal

# What is recorded is cut, so that nobody can fill the memory by sending much.
_KEPT_TEXT: Final = 256
_KEPT_BYTES: Final = 2048


@attrs.define(eq=False)
class Exchange:
    """One request on its way through the endpoint; what has a default is learnt on the way."""

    method: str
    raw_target: bytes = attrs.field(repr=False)
    headers: dict[bytes, list[bytes]] = attrs.field(repr=False)
    body: bytes = b""
    refusal: Refusal | None = None
    target: Target = attrs.field(default=Target(b"", b"", ()), init=False, repr=False)
    route: Route | None = attrs.field(default=None, init=False)
    caller: str | None = attrs.field(default=None, init=False)
    request_id: str = attrs.field(factory=lambda: str(uuid.uuid4()), init=False)
    faults: list[str] = attrs.field(factory=list[str], init=False)
    started: float = attrs.field(factory=time.perf_counter, init=False)


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

    number: int = 0
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
    error_message: str | None = None
    verification: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    request_id: str
    applied: bool
    faults: tuple[str, ...]
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """Return the record in JSON's types: camelCase names, the time as RFC 3339 text.

        The body is text; bytes in it that are not UTF-8 are replaced.
        """
        values = attrs.asdict(self, recurse=False)
        return {
            **{member_name(name): value for name, value in values.items()},
            "time": format_timestamp(self.time),
            "body": self.body.decode(errors="replace"),
            "faults": list(self.faults),
        }

    def __str__(self) -> str:
        parts = [
            self.operation or f"{self.method} {self.path!r}",
            "/".join(repr(name) for name in (self.studio_id, self.session_id) if name),
            "->",
            "connection reset" if self.status is None else str(self.status),
            self.error_code,
            "applied" if self.applied else "",
            f"token={self.client_token!r}" if self.client_token else "",
            f"faults={','.join(self.faults)}" if self.faults else "",
        ]
        return " ".join(filter(None, parts))


def record(exchange: Exchange, answer: Answer, *, number: int, now: float) -> RequestRecord:
    """Make the journal's record of a request and its answer; ``now`` is the server's time."""
    operation, studio_id, session_id = exchange.route or NOWHERE
    target = hide_secrets(exchange.raw_target)
    is_seen = answer.delivery is None or answer.delivery.sends_status
    refusal = exchange.refusal
    return RequestRecord(
        number=number,
        time=datetime.fromtimestamp(now, UTC),
        method=exchange.method,
        path=target[:_KEPT_BYTES].decode("latin-1"),
        operation=operation,
        studio_id=studio_id,
        session_id=session_id,
        caller=exchange.caller,
        client_token=_header(exchange, b"x-amz-client-token"),
        attempt=_header(exchange, b"amz-sdk-request"),
        invocation_id=_header(exchange, b"amz-sdk-invocation-id"),
        user_agent=_header(exchange, b"user-agent"),
        body=exchange.body[:_KEPT_BYTES],
        status=answer.status if is_seen else None,
        error_code=answer.error_code,
        error_message=None if refusal is None else refusal.message,
        verification=None if refusal is None else refusal.verification,
        request_id=exchange.request_id,
        applied=answer.applied,
        faults=tuple(exchange.faults),
        seconds=time.perf_counter() - exchange.started,
    )


def _header(exchange: Exchange, name: bytes) -> str | None:
    values = exchange.headers.get(name)
    return None if values is None else b",".join(values)[:_KEPT_TEXT].decode("latin-1")
