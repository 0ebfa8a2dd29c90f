"""One request on its way through the endpoint, and the record that is made of it and its answer."""

from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.api.routes import Target
from nimble_stop.local.request_record import RequestRecord

if TYPE_CHECKING:
    from nimble_stop.local.api.answer import Answer
    from nimble_stop.local.api.refusals import Refusal
    from nimble_stop.local.api.routes import Route

__all__ = ["Exchange", "record"]

# What is recorded is cut, so that nobody can fill the memory by sending much.
_KEPT_TEXT: Final = 256
_KEPT_BYTES: Final = 2048
# Where a presigned target carries its secrets.
_SECRET_PARAMETERS: Final = re.compile(
    rb"(x-amz-(?:signature|security-token)=)[^&]*", re.IGNORECASE
)


@attrs.define(eq=False)
class Exchange:
    """One request on its way through the endpoint; everything else is learnt on the way.

    Args:
        method: The HTTP method.
        raw_target: The target as it was sent.
        headers: The values of each header, under its name in lower case.
        body: The body, once all of it is there.
        refusal: Why the request is refused, once that is clear.
    """

    method: str
    raw_target: bytes = attrs.field(repr=False)
    headers: dict[bytes, list[bytes]] = attrs.field(repr=False)
    body: bytes = b""
    refusal: Refusal | None = None
    target: Target = attrs.field(default=Target(b"", b"", (), ()), init=False, repr=False)
    route: Route | None = attrs.field(default=None, init=False)
    caller: str | None = attrs.field(default=None, init=False)
    request_id: str = attrs.field(factory=lambda: str(uuid.uuid4()), init=False)
    faults: list[str] = attrs.field(factory=list[str], init=False)
    started: float = attrs.field(factory=time.perf_counter, init=False)


def record(exchange: Exchange, answer: Answer, *, number: int, now: float) -> RequestRecord:
    """Make the journal's record of a request and its answer.

    Args:
        exchange: The request.
        answer: Its answer.
        number: The record's number in the journal.
        now: The server's time, in seconds since 1970 UTC.
    """
    route = exchange.route
    target = _SECRET_PARAMETERS.sub(rb"\1***", exchange.raw_target)
    is_seen = answer.delivery is None or answer.delivery.sends_status
    return RequestRecord(
        number=number,
        time=datetime.fromtimestamp(now, UTC),
        method=exchange.method,
        path=target[:_KEPT_BYTES].decode("latin-1"),
        operation=None if route is None else route.operation,
        studio_id=None if route is None else route.studio_id,
        session_id=None if route is None else route.session_id,
        caller=exchange.caller,
        client_token=_header(exchange, b"x-amz-client-token"),
        attempt=_header(exchange, b"amz-sdk-request"),
        invocation_id=_header(exchange, b"amz-sdk-invocation-id"),
        user_agent=_header(exchange, b"user-agent"),
        body=exchange.body[:_KEPT_BYTES],
        status=answer.status if is_seen else None,
        error_code=answer.error_code,
        error_message=None if exchange.refusal is None else exchange.refusal.message,
        verification=None if exchange.refusal is None else exchange.refusal.verification,
        request_id=exchange.request_id,
        applied=answer.applied,
        faults=tuple(exchange.faults),
        seconds=time.perf_counter() - exchange.started,
    )


def _header(exchange: Exchange, name: bytes) -> str | None:
    values = exchange.headers.get(name)
    return None if values is None else b",".join(values)[:_KEPT_TEXT].decode("latin-1")
