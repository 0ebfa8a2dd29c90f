"""One request from arrival to answer, without a socket.

This module owns the order of events: read the target, let faults on arrival happen, verify the
signature, find the operation, check the input, make the change, answer. The server feeds it with
what came in and sends what comes out.
"""

from __future__ import annotations

import logging
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.api.canonical import SignedRequest
from nimble_stop.local.api.exchange import JSON, SERVER, Answer, Exchange, record, refused
from nimble_stop.local.api.inputs import read_body, read_query, read_token
from nimble_stop.local.api.refusals import Refusal, error_body
from nimble_stop.local.api.routes import parse_target, route, unknown_operation
from nimble_stop.local.api.signature import verify
from nimble_stop.local.faults.kinds import (
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
from nimble_stop.local.studio.operations import Call
from nimble_stop.local.studio.session import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nimble_stop.local.api.routes import Route
    from nimble_stop.local.api.signature import AccessKey
    from nimble_stop.local.faults.kinds import Fault
    from nimble_stop.local.faults.rules import FaultRules
    from nimble_stop.local.journal import Journal
    from nimble_stop.local.studio.clock import Clock
    from nimble_stop.local.studio.operations import Operations, Result

__all__ = ["Service"]

_logger: Final = logging.getLogger("nimble_stop.local")


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
        fault = self._take(exchange, Point.ARRIVAL)
        return fault.seconds if isinstance(fault, Latency) else 0.0

    def answer(self, exchange: Exchange) -> Answer:
        """Do what the request asks for, and note it down."""
        skew = self._take(exchange, Point.VERIFICATION)
        now = self.clock() + (skew.seconds if isinstance(skew, ClockSkew) else 0.0)
        try:
            answer = self._carry_out(exchange, now)
        except Refusal as refusal:
            answer = refused(refusal)
        except Exception:
            _logger.exception("%s failed", exchange.request_id)
            answer = refused(Refusal("InternalServerErrorException", "The endpoint failed."))
        answer = self._finish(exchange, answer, now)
        self.journal.add(record(exchange, answer, now))
        return answer

    def _carry_out(self, exchange: Exchange, now: float) -> Answer:
        if exchange.refusal is not None:
            raise exchange.refusal
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
        fault = self._take(exchange, Point.ANSWER)
        if isinstance(fault, ProxyPage | ResetBeforeChange | ServiceFailure):
            return _instead(fault)
        if exchange.route is None:
            raise unknown_operation(exchange.method, exchange.target)
        result = self._perform(exchange, exchange.route, exchange.caller)
        return Answer(
            status=200,
            body=result.body,
            headers={"Content-Type": JSON},
            applied=result.applied,
        )

    def _perform(self, exchange: Exchange, route: Route, caller: str) -> Result:
        def fails() -> Failure | None:
            fault = self._take(exchange, Point.CHANGE)
            if not isinstance(fault, StopFails):
                return None
            return Failure(fault.status_code, fault.status_message)

        return self.operations.perform(
            Call(
                operation=route.operation,
                caller=caller,
                studio_id=route.studio_id,
                session_id=route.session_id,
                client_token=read_token(exchange.headers),
                query=read_query(exchange.target.query),
                body=read_body(route.operation, exchange.body, exchange.headers),
                fails=fails,
            )
        )

    def _finish(self, exchange: Exchange, answer: Answer, now: float) -> Answer:
        """Let the faults on the way back happen, and add what every answer carries."""
        delivery = answer.delivery
        if delivery is None:
            fault = self._take(exchange, Point.DELIVERY)
            if isinstance(fault, ResetAfterChange | TrickledBody | TruncatedBody):
                delivery = fault
        wrong = self._take(exchange, Point.DATE)
        date = _http_date(int(now))
        if isinstance(wrong, WrongDate):
            date = wrong.text or _http_date(int(now + wrong.seconds))
        headers = {"Date": date, "Server": SERVER}
        if answer.from_service:
            headers["x-amzn-RequestId"] = exchange.request_id
        headers.update(answer.headers)
        return attrs.evolve(answer, headers=headers, delivery=delivery)

    def _take(self, exchange: Exchange, point: Point) -> Fault | None:
        """Ask whether something goes wrong at this point of this request."""
        route = exchange.route
        fault = (
            self.faults.take(point, None, None, None)
            if route is None
            else self.faults.take(point, route.operation, route.studio_id, route.session_id)
        )
        if fault is not None:
            exchange.faults.append(type(fault).__name__)
        return fault


def _instead(fault: ProxyPage | ResetBeforeChange | ServiceFailure) -> Answer:
    """Answer a request that does not get to its operation."""
    if isinstance(fault, ResetBeforeChange):
        return Answer(status=0, body=b"", delivery=fault)
    if isinstance(fault, ProxyPage):
        page = fault.html or f"<html><body><h1>{fault.status}</h1></body></html>"
        return Answer(
            status=fault.status,
            body=page.encode(),
            headers={"Content-Type": "text/html", "Server": "proxy"},
            from_service=False,
        )
    headers = {"Content-Type": JSON, "x-amzn-ErrorType": fault.code}
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    if fault.retry_after_milliseconds is not None:
        headers["x-amz-retry-after"] = str(fault.retry_after_milliseconds)
    return Answer(
        status=fault.http_status,
        body=error_body(fault.reason or fault.code, fault.message, fault.context),
        headers={**headers, **fault.headers},
        error_code=fault.code,
    )


# All answers of one second carry the same date.
@lru_cache(maxsize=4)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
