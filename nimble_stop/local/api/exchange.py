"""One request on its way through the endpoint, its answer, and the note that is made of both."""

from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from nimble_stop.local.api.refusals import error_body
from nimble_stop.local.api.routes import Target
from nimble_stop.local.faults.kinds import (
    ResetAfterChange,
    ResetBeforeChange,
    TrickledBody,
    TruncatedBody,
)
from nimble_stop.local.request_record import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop.local.api.refusals import Refusal
    from nimble_stop.local.api.routes import Route

__all__ = ["JSON", "SERVER", "Answer", "Delivery", "Exchange", "record", "refused"]

JSON: Final = "application/json"
"""The media type of all that the service answers."""

SERVER: Final = "nimble-stop"
"""What the endpoint calls itself in the ``Server`` header."""

# What is noted down is cut, so that nobody can fill the memory by sending much.
_KEPT_TEXT: Final = 256
_KEPT_BYTES: Final = 2048
# Where a presigned target carries its secrets.
_SECRET_PARAMETERS: Final = re.compile(
    rb"(x-amz-(?:signature|security-token)=)[^&]*", re.IGNORECASE
)

Delivery: TypeAlias = ResetAfterChange | ResetBeforeChange | TrickledBody | TruncatedBody | None
"""How an answer is sent: as it is, or through a fault."""


@attrs.frozen(kw_only=True)
class Answer:
    """What is sent back.

    Args:
        status: The HTTP status.
        body: The whole body.
        headers: All headers but those of the transfer.
        delivery: How it is sent.
        error_code: The error code, when it is one of the service's errors.
        applied: Whether the request changed something.
        from_service: Whether it is the service that answers, and nothing in between.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    delivery: Delivery = None
    error_code: str | None = None
    applied: bool = False
    from_service: bool = True


@attrs.define(eq=False)
class Exchange:
    """One request on its way through the endpoint; everything else is learnt on the way.

    Args:
        method: The HTTP method.
        raw_target: The target as it was sent.
        headers: The values of each header, under its name in lower case.
        body: The body, once all of it is there.
        refusal: Why the request is refused, when that is clear from its head or its body.
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


def refused(refusal: Refusal) -> Answer:
    """Make the answer that says no."""
    return Answer(
        status=refusal.status,
        body=error_body(refusal.code, refusal.message, refusal.context),
        headers={"Content-Type": JSON, "x-amzn-ErrorType": refusal.code, **refusal.headers},
        error_code=refusal.code,
    )


def record(exchange: Exchange, answer: Answer, now: float) -> RequestRecord:
    """Note down a request and how it was answered.

    Args:
        exchange: The request.
        answer: Its answer.
        now: The server's time, in seconds since 1970 UTC.
    """
    route = exchange.route
    target = _SECRET_PARAMETERS.sub(rb"\1***", exchange.raw_target)
    return RequestRecord(
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
        status=(
            None
            if isinstance(answer.delivery, ResetAfterChange | ResetBeforeChange)
            else answer.status
        ),
        error_code=answer.error_code,
        request_id=exchange.request_id,
        applied=answer.applied,
        faults=tuple(exchange.faults),
        seconds=time.perf_counter() - exchange.started,
    )


def _header(exchange: Exchange, name: bytes) -> str | None:
    values = exchange.headers.get(name)
    return None if values is None else b",".join(values)[:_KEPT_TEXT].decode("latin-1")
