"""One request from arrival to answer, without a socket.

This module owns the order of events: read the target, wait where a fault says so, verify the
signature, find the operation, check the input, make the change, answer. The server feeds it with
what came in and sends what comes out.
"""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from nimble_stop.local.api.answer import SERVER, Answer, Refusal, refused
from nimble_stop.local.api.exchange import Exchange, record
from nimble_stop.local.api.inputs import check_accept, read_body, read_query, read_token
from nimble_stop.local.api.request_target import parse_target, route, unknown_operation
from nimble_stop.local.api.signature import verify
from nimble_stop.local.faults import rules
from nimble_stop.local.storage.busy import retry_while_busy
from nimble_stop.local.studio.session_operations import Call, Operations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nimble_stop.local.endpoint_options import EndpointOptions
    from nimble_stop.local.journal import Journal

_logger: Final = logging.getLogger("nimble_stop.local")
_Fault = TypeVar("_Fault", bound=rules.Fault)


@attrs.frozen
class Service:
    """The endpoint without its socket."""

    _options: EndpointOptions
    _operations: Operations
    _faults: rules.FaultRules
    _journal: Journal

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

    async def answer(self, exchange: Exchange) -> Answer:
        """Do what the request asks for, and record it."""
        latency = self._take(exchange, rules.ArrivalFault)
        if latency is not None:
            await asyncio.sleep(latency.seconds)
        skew = self._take(exchange, rules.ClockFault)
        now = self._options.clock() + (0.0 if skew is None else skew.seconds)
        try:
            answer = await self._carry_out(exchange, now)
        except Refusal as refusal:
            exchange.refusal = refusal
            answer = refused(refusal)
        except Exception:
            _logger.exception("%s failed", exchange.request_id)
            answer = refused(Refusal("InternalServerErrorException", "The endpoint failed."))
        answer = self._finish(exchange, answer, now)
        number = next(self._journal.numbers)
        self._journal.add(record(exchange, answer, number=number, now=now))
        return answer

    async def _carry_out(self, exchange: Exchange, now: float) -> Answer:
        if exchange.refusal is not None:
            raise exchange.refusal
        exchange.caller = verify(
            exchange,
            keys={key.access_key_id: key for key in self._options.keys},
            region_name=self._options.region_name,
            now=now,
            max_skew_seconds=self._options.max_skew_seconds,
        )
        fault = self._take(exchange, rules.AnswerFault)
        if fault is not None:
            return fault.answer()
        if exchange.route is None:
            raise unknown_operation(exchange.method, exchange.target)
        check_accept(exchange.headers)
        operation, studio_id, session_id = exchange.route
        call = Call(
            operation=operation,
            caller=exchange.caller,
            studio_id=studio_id,
            session_id=session_id,
            client_token=read_token(exchange.headers),
            query=read_query(exchange.target.query),
            body=read_body(operation, exchange.body, exchange.headers),
            fails=lambda: self._take(exchange, rules.ChangeFault),
        )
        return await retry_while_busy(lambda: self._operations.perform(call))

    def _finish(self, exchange: Exchange, answer: Answer, now: float) -> Answer:
        """Let the faults on the way back happen, and add what every answer carries."""
        delivery = answer.delivery or self._take(exchange, rules.DeliveryFault)
        wrong = self._take(exchange, rules.DateFault)
        date = _http_date(int(now)) if wrong is None else wrong.date(now)
        headers = {"Date": date, "Server": SERVER}
        if answer.from_service:
            headers["x-amzn-RequestId"] = exchange.request_id
        headers.update(answer.headers)
        return attrs.evolve(answer, headers=headers, delivery=delivery)

    def _take(self, exchange: Exchange, point: type[_Fault]) -> _Fault | None:
        fault = self._faults.take(point, exchange.route)
        if fault is not None:
            exchange.faults.append(type(fault).__name__)
        return fault


# All answers of one second carry the same date.
@lru_cache(maxsize=4)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
