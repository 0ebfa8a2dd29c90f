"""One call, from its request to its result: attempts, delays, deadline, clock skew."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import attrs

from nimble_stop import exceptions
from nimble_stop._api.arguments import checked_seconds
from nimble_stop._api.response import Response, parse_response
from nimble_stop._call.deadline import Deadline
from nimble_stop._call.record import AttemptRecord, CallRecord, error_code, summary
from nimble_stop._call.skew import ClockSkew
from nimble_stop._call.steps import Notify, Send, Sign, Sleep, Steps
from nimble_stop._config.endpoint_url import CLOSED_NOTICE
from nimble_stop._config.retry_policy import is_throttling
from nimble_stop._config.runtime import ForkSafeLock
from nimble_stop.exceptions import DeadlineExceededError, NimbleStopError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nimble_stop._api.request import Request
    from nimble_stop._auth.signer import WireRequest
    from nimble_stop._call.telemetry import Activity, Telemetry
    from nimble_stop._config.config import Config

ModelT = TypeVar("ModelT")

_logger = logging.getLogger("nimble_stop")
# The retry quota of the standard mode as of November 2026.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_QUOTA: Final = 500
_TRANSIENT_COST: Final = 14
_THROTTLING_COST: Final = 5
_SUCCESS_REFUND: Final = 1
_UNWATCHED: Final = nullcontext()


class RetryQuota:
    """What a client may still spend on retries, so that an outage is not made worse.

    A retry takes its cost out and a success puts it back; with an empty quota nothing is retried.
    """

    def __init__(self, capacity: int = _QUOTA) -> None:
        self._capacity = capacity
        self.available = capacity
        self._lock = ForkSafeLock()

    def take(self, error: NimbleStopError) -> int | None:
        """Pay for one retry; give what it cost, or None when there is not enough left."""
        cost = _THROTTLING_COST if is_throttling(error) else _TRANSIENT_COST
        with self._lock:
            if cost > self.available:
                return None
            self.available -= cost
            return cost

    def give_back(self, last_cost: int) -> None:
        """Note a success, with the cost of the last retry, or 0 when there was none."""
        if not last_cost and self.available == self._capacity:
            return
        with self._lock:
            self.available = min(self._capacity, self.available + (last_cost or _SUCCESS_REFUND))


class _Retry(NamedTuple):
    delay: float
    cost: int


class Engine:
    """Runs the calls of one client, and keeps what they learn from each other.

    ``on_attempt`` is called with the record of every attempt. All calls end by ``limit``, if it is
    set.
    """

    def __init__(
        self,
        config: Config,
        on_attempt: Callable[[AttemptRecord], object] | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.policy = config.retry
        self.runtime = config.runtime
        self._config = config
        self._on_attempt = on_attempt
        self._telemetry = telemetry
        self.limit: Deadline | None = None
        self._quota = RetryQuota()
        self._skew = ClockSkew(enabled=config.correct_clock_skew)

    def with_config(self, config: Config) -> Engine:
        """Make an engine with another configuration that shares what was learned."""
        engine = Engine(config, self._on_attempt, self._telemetry)
        engine._quota, engine._skew, engine.limit = self._quota, self._skew, self.limit
        return engine

    @property
    def skew_seconds(self) -> float:
        """How many seconds the service's clock is ahead of ours, as far as its Date says."""
        # A Date has whole seconds; less than one of difference is none.
        return self._skew.seconds if abs(self._skew.seconds) >= 1 else 0.0

    def deadline(self, seconds: float | None = None) -> Deadline:
        """Start a deadline; None takes the client's."""
        if seconds is None:
            seconds = self._config.deadline
        return Deadline(
            checked_seconds("deadline", seconds), self.runtime.monotonic, within=self.limit
        )

    def begin(self, name: str, attributes: Mapping[str, str | int]) -> Activity | None:
        """Begin the telemetry of a wait or a run; None where there is no telemetry."""
        return None if self._telemetry is None else self._telemetry.activity(name, attributes)

    def call(
        self, request: Request[ModelT], deadline: Deadline, record: CallRecord | None = None
    ) -> Steps[ModelT]:
        """Run one call, and fill the record with what it goes through."""
        record = record or CallRecord()
        record.operation, record.client_token = request.operation.name, request.client_token
        try:
            with self._telemetry.call(request, record) if self._telemetry else _UNWATCHED:
                return (yield from self._attempts(request, record, deadline))
        except NimbleStopError as error:
            record.write_into(error)
            raise
        except BaseException as interruption:
            # Cancelled or interrupted from outside: say how the call can be repeated.
            interruption.add_note(record.how_to_resume())
            raise

    def _attempts(
        self, request: Request[ModelT], record: CallRecord, deadline: Deadline
    ) -> Steps[ModelT]:
        invocation_id = self.runtime.new_id()
        paid = 0
        while True:
            started, skew = self.runtime.monotonic(), self._skew.seconds
            headers = {
                "amz-sdk-invocation-id": invocation_id,
                "amz-sdk-request": f"attempt={record.attempts + 1}; max={self.policy.max_attempts}",
            }
            wire: WireRequest = yield Sign(request, headers, skew)
            remaining = deadline.remaining
            if remaining <= 0:
                raise DeadlineExceededError(f"{deadline} was over before the request was sent.")
            try:
                response = yield from self._send(wire, record, remaining)
                result = parse_response(request.operation, response)
            except NimbleStopError as error:
                # Also what is no answer may be the request's own words, and be quoted.
                wire.redact(error)
                record.note(error)
                decision = self._decide(error, record, skew, deadline)
                delay = decision.delay if isinstance(decision, _Retry) else None
                yield from self._report(request, record, started, error, delay)
                if isinstance(decision, NimbleStopError):
                    raise decision from decision.__cause__
            else:
                self._quota.give_back(paid)
                yield from self._report(request, record, started)
                return result
            yield Sleep(decision.delay)
            record.waited += decision.delay
            paid = decision.cost

    def _send(self, wire: WireRequest, record: CallRecord, remaining: float) -> Steps[Response]:
        record.attempts, record.http_status, record.request_id = record.attempts + 1, None, None
        timeouts = self._config.timeouts
        sent = self.runtime.now()
        response: Response = yield Send(wire, timeouts.connect, timeouts.read, remaining)
        record.http_status, record.request_id = response.status, response.request_id
        self._skew.observe(response.headers, sent, self.runtime.now())
        return response

    def _report(
        self,
        request: Request[ModelT],
        record: CallRecord,
        started: float,
        error: NimbleStopError | None = None,
        next_delay: float | None = None,
    ) -> Steps[None]:
        level = logging.INFO if error else logging.DEBUG
        seconds = self.runtime.monotonic() - started
        if self._telemetry is not None:
            self._telemetry.attempt(record, seconds, error, next_delay)
        if self._on_attempt is None and not _logger.isEnabledFor(level):
            return
        attempt = AttemptRecord(
            operation=record.operation,
            studio_id=request.studio_id,
            session_id=request.session_id,
            client_token=record.client_token,
            attempt=record.attempts,
            http_status=record.http_status,
            error=error,
            request_id=record.request_id,
            seconds=seconds,
            next_delay=next_delay,
        )
        _log(level, attempt)
        if self._on_attempt is not None:
            yield Notify(self._on_attempt, attempt)

    def _decide(
        self, error: NimbleStopError, record: CallRecord, skew: float, deadline: Deadline
    ) -> _Retry | NimbleStopError:
        if isinstance(error, exceptions.TransportError) and deadline.remaining <= 0:
            return _exceeded(deadline, error)
        worth_it = self.policy.retries(error) or self._skew.explains(error, skew)
        if worth_it and record.attempts < self.policy.max_attempts:
            delay = self.policy.delay(record.attempts, error, self.runtime.random)
            if delay >= deadline.remaining:
                return _exceeded(deadline, error, when="would be over before the next attempt")
            cost = self._quota.take(error)
            if cost is not None:
                return _Retry(delay, cost)
        if isinstance(error, exceptions.ConnectionFailedError) and self._config.endpoint.is_aws:
            error.args = (f"{error.message} {CLOSED_NOTICE}",)
        return error


def _exceeded(
    deadline: Deadline, cause: NimbleStopError, when: str = "is over"
) -> DeadlineExceededError:
    error = DeadlineExceededError(f"{deadline} {when}. The last attempt failed: {cause}")
    error.__cause__ = cause
    return error


def _log(level: int, attempt: AttemptRecord) -> None:
    fields = {field.name: getattr(attempt, field.name) for field in attrs.fields(AttemptRecord)}
    error, delay = attempt.error, attempt.next_delay
    _logger.log(
        level,
        "%s attempt %d: %s after %.3f s, request id %s, studio %r, session %r%s",
        attempt.operation,
        attempt.attempt,
        summary(error) if error else "ok",
        attempt.seconds,
        attempt.request_id or "none",
        attempt.studio_id,
        attempt.session_id,
        "" if delay is None else f", next attempt in {delay:.3f} s",
        extra={**fields, "error_code": error and error_code(error)},
    )
