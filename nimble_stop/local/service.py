"""One request from arrival to answer, without a socket.

This module owns the order of events: read the target, let faults on arrival happen, verify the
signature, find the operation, check the input, make the change, answer. The server feeds it with
what came in and sends what comes out.
"""

from __future__ import annotations

import logging
import time
import uuid
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from nimble_stop.local.faults import (
    ClockSkew,
    Latency,
    Point,
    ProxyPage,
    ResetAfterChange,
    ResetBeforeChange,
    ServiceFailure,
    StopFails,
    TrickledBody,
    TruncatedBody,
    WrongDate,
)
from nimble_stop.local.journal import RequestRecord
from nimble_stop.local.operations import Call
from nimble_stop.local.refusals import Refusal, error_body
from nimble_stop.local.routing import parse_target, route, unknown_operation
from nimble_stop.local.sessions import Failure
from nimble_stop.local.signature import SignedRequest, verify
from nimble_stop.local.validation import read_body, read_query, read_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nimble_stop.local.clock import Clock
    from nimble_stop.local.faults import FaultRules
    from nimble_stop.local.journal import Journal
    from nimble_stop.local.operations import Operations, Result
    from nimble_stop.local.routing import Route, Target
    from nimble_stop.local.signature import AccessKey

__all__ = ["Answer", "Delivery", "Exchange", "Service"]

_logger: Final = logging.getLogger("nimble_stop.local")
_JSON: Final = "application/json"
_KEPT_TEXT: Final = 256
_KEPT_BYTES: Final = 2048
_Fault = TypeVar("_Fault")

Delivery = ResetAfterChange | ResetBeforeChange | TrickledBody | TruncatedBody | None
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
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict)
    delivery: Delivery = None
    error_code: str | None = None
    applied: bool = False


@attrs.define(eq=False)
class Exchange:
    """One request on its way through the endpoint.

    Args:
        method: The HTTP method.
        raw_target: The target as it was sent.
        headers: The values of each header, under its name in lower case.
    """

    method: str
    raw_target: bytes
    headers: dict[bytes, list[bytes]] = attrs.field(repr=False)
    body: bytes = b""
    refusal: Refusal | None = None
    target: Target | None = attrs.field(default=None, init=False)
    route: Route | None = attrs.field(default=None, init=False)
    caller: str | None = attrs.field(default=None, init=False)
    request_id: str = attrs.field(factory=lambda: str(uuid.uuid4()), init=False)
    faults: list[str] = attrs.field(factory=list, init=False)
    started: float = attrs.field(factory=time.perf_counter, init=False)


@attrs.frozen(kw_only=True)
class Service:
    """The endpoint without its socket.

    Args:
        operations: The operations on the store.
        keys: The accepted keys by their access key id.
        region_name: The region that it stands in.
        clock: The server's time.
        max_skew_seconds: How far a signature's date may be off, either way.
        faults: What goes wrong.
        journal: Where the requests are noted down.
    """

    operations: Operations
    keys: Mapping[str, AccessKey] = attrs.field(repr=False)
    region_name: str
    clock: Clock
    max_skew_seconds: float
    faults: FaultRules
    journal: Journal

    def open(
        self, method: str, raw_target: bytes, raw_headers: Iterable[tuple[bytes, bytes]]
    ) -> Exchange:
        """Begin with the head of a request, before its body is there."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in raw_headers:
            headers.setdefault(name.lower(), []).append(value)
        exchange = Exchange(method, raw_target, headers)
        try:
            exchange.target = parse_target(raw_target)
            exchange.route = route(method, exchange.target)
        except Refusal as refusal:
            exchange.refusal = refusal
        return exchange

    def latency(self, exchange: Exchange) -> float:
        """Tell how many seconds the request is to wait before it is answered."""
        fault = self._take(exchange, Point.ARRIVAL, Latency)
        return 0.0 if fault is None else fault.seconds

    def answer(self, exchange: Exchange) -> Answer:
        """Do what the request asks for, and note it down."""
        skew = self._take(exchange, Point.VERIFICATION, ClockSkew)
        now = self.clock() + (0.0 if skew is None else skew.seconds)
        try:
            answer = self._carry_out(exchange, now)
        except Refusal as refusal:
            answer = _refused(refusal)
        except Exception:
            _logger.exception("%s failed", exchange.request_id)
            answer = _refused(Refusal("InternalServerErrorException", "The endpoint failed."))
        answer = self._finish(exchange, answer, now)
        self.journal.add(_record(exchange, answer, now))
        return answer

    def _carry_out(self, exchange: Exchange, now: float) -> Answer:
        if exchange.refusal is not None or exchange.target is None:
            raise exchange.refusal or Refusal("MalformedHttpRequestException", "No target.")
        exchange.caller = verify(
            SignedRequest(
                method=exchange.method,
                path=exchange.target.path,
                query=exchange.target.query,
                headers=exchange.headers,
                body=exchange.body,
            ),
            keys=self.keys,
            region_name=self.region_name,
            now=now,
            max_skew_seconds=self.max_skew_seconds,
        )
        fault = self._take(exchange, Point.ANSWER, ProxyPage, ResetBeforeChange, ServiceFailure)
        if fault is not None:
            return _instead(fault)
        if exchange.route is None:
            raise unknown_operation(exchange.method, exchange.target)
        result = self._perform(exchange, exchange.route, exchange.caller, exchange.target.query)
        return Answer(
            status=200,
            body=result.body,
            headers={"Content-Type": _JSON},
            applied=result.applied,
        )

    def _perform(self, exchange: Exchange, route: Route, caller: str, query: bytes) -> Result:
        def fails() -> Failure | None:
            fault = self._take(exchange, Point.CHANGE, StopFails)
            return None if fault is None else Failure(fault.status_code, fault.status_message)

        return self.operations.perform(
            Call(
                operation=route.operation,
                caller=caller,
                studio_id=route.studio_id,
                session_id=route.session_id,
                client_token=read_token(exchange.headers),
                query=read_query(query),
                body=read_body(route.operation, exchange.body, exchange.headers),
                fails=fails,
            )
        )

    def _finish(self, exchange: Exchange, answer: Answer, now: float) -> Answer:
        """Let the faults on the way back happen, and add what every answer carries."""
        delivery = answer.delivery or self._take(
            exchange, Point.DELIVERY, ResetAfterChange, TrickledBody, TruncatedBody
        )
        wrong = self._take(exchange, Point.DATE, WrongDate)
        date = _http_date(int(now if wrong is None else now + wrong.seconds))
        headers = {
            "Date": date if wrong is None or wrong.text is None else wrong.text,
            "Server": "nimble-stop",
            "x-amzn-RequestId": exchange.request_id,
            **answer.headers,
        }
        return attrs.evolve(answer, headers=headers, delivery=delivery)

    def _take(self, exchange: Exchange, point: Point, *kinds: type[_Fault]) -> _Fault | None:
        route = exchange.route
        fault = (
            self.faults.take(point, None, None, None)
            if route is None
            else self.faults.take(point, route.operation, route.studio_id, route.session_id)
        )
        if fault is None:
            return None
        exchange.faults.append(type(fault).__name__)
        return fault if isinstance(fault, kinds) else None


def _refused(refusal: Refusal) -> Answer:
    return Answer(
        status=refusal.status,
        body=error_body(refusal.code, refusal.message, refusal.context),
        headers={
            "Content-Type": _JSON,
            "x-amzn-ErrorType": refusal.code,
            **refusal.headers,
        },
        error_code=refusal.code,
    )


def _instead(fault: ProxyPage | ResetBeforeChange | ServiceFailure) -> Answer:
    """Answer a request that does not get to its operation."""
    if isinstance(fault, ResetBeforeChange):
        return Answer(status=0, body=b"", delivery=fault)
    if isinstance(fault, ProxyPage):
        page = fault.html
        if page is None:
            page = f"<html><body><h1>{fault.status}</h1><p>Not from the service.</p></body></html>"
        return Answer(
            status=fault.status,
            body=page.encode(),
            headers={"Content-Type": "text/html", "Server": "proxy"},
        )
    headers = {"Content-Type": _JSON, "x-amzn-ErrorType": fault.code}
    if fault.retry_after is not None:
        headers["Retry-After"] = f"{fault.retry_after:g}"
    if fault.retry_after_milliseconds is not None:
        headers["x-amz-retry-after"] = str(fault.retry_after_milliseconds)
    body = error_body(fault.reason or fault.code, fault.message, fault.context)
    return Answer(status=fault.http_status, body=body, headers=headers, error_code=fault.code)


# All answers of one second carry the same date.
@lru_cache(maxsize=4)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _record(exchange: Exchange, answer: Answer, now: float) -> RequestRecord:
    route = exchange.route
    return RequestRecord(
        time=datetime.fromtimestamp(now, UTC),
        method=exchange.method,
        path=exchange.raw_target[:_KEPT_BYTES].decode("latin-1"),
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
