"""One call, from its request to its result: attempts, delays, deadline, clock skew."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from nimble_stop._api.arguments import checked_seconds
from nimble_stop._api.response import Response, parse_response
from nimble_stop._call.deadline import Deadline
from nimble_stop._call.record import CallRecord, summary
from nimble_stop._call.retry import RetryQuota
from nimble_stop._call.skew import ClockSkew
from nimble_stop._call.steps import Send, Sign, Sleep
from nimble_stop._config.endpoint_url import CLOSED_NOTICE
from nimble_stop.exceptions import (
    ConnectionFailedError,
    DeadlineExceededError,
    NimbleStopError,
    ResponseDecodeError,
    ServiceError,
    TransportError,
)

if TYPE_CHECKING:
    from nimble_stop._api.request import Request
    from nimble_stop._auth.authentication import WireRequest
    from nimble_stop._call.retry import RetryPolicy
    from nimble_stop._call.steps import Steps
    from nimble_stop._config.config import Config
    from nimble_stop._config.runtime import Runtime

ModelT = TypeVar("ModelT")

_logger = logging.getLogger("nimble_stop")


class _Retry(NamedTuple):
    """A retry that is going to be made."""

    delay: float
    cost: int


class Engine:
    """Runs the calls of one client, and keeps what they learn from each other."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._runtime = config.runtime
        self._quota = RetryQuota()
        self._skew = ClockSkew(enabled=config.correct_clock_skew)

    def with_config(self, config: Config) -> Engine:
        """Make an engine with another configuration that shares what was learned."""
        engine = Engine(config)
        engine._quota, engine._skew = self._quota, self._skew
        return engine

    @property
    def runtime(self) -> Runtime:
        """Clocks, sleep, randomness and ids."""
        return self._runtime

    @property
    def policy(self) -> RetryPolicy:
        """How failed attempts are repeated."""
        return self._config.retry

    @property
    def skew_seconds(self) -> float:
        """How many seconds the service's clock is ahead of ours, as far as its Date can tell."""
        # A Date has whole seconds; less than one of difference is none.
        return self._skew.seconds if abs(self._skew.seconds) >= 1 else 0.0

    def deadline(self, seconds: float | None = None) -> Deadline:
        """Start a deadline; None takes the client's."""
        if seconds is None:
            seconds = self._config.deadline
        return Deadline(checked_seconds("deadline", seconds), self._runtime.monotonic)

    def call(
        self, request: Request[ModelT], deadline: Deadline, record: CallRecord | None = None
    ) -> Steps[ModelT]:
        """Run one call.

        Args:
            request: The request; all attempts send the same one.
            deadline: When it must be over.
            record: Filled with what the call goes through.

        Raises:
            NimbleStopError: The call failed; the error tells of every attempt.
        """
        record = record or CallRecord()
        record.operation, record.client_token = request.operation.name, request.client_token
        try:
            return (yield from self._attempts(request, record, deadline))
        except NimbleStopError as error:
            record.write_into(error)
            raise
        except BaseException as interruption:
            # Cancelled or interrupted from outside: leave word of how to go on.
            interruption.add_note(record.how_to_resume())
            raise

    def _attempts(
        self, request: Request[ModelT], record: CallRecord, deadline: Deadline
    ) -> Steps[ModelT]:
        invocation_id = self._runtime.new_id()
        paid = 0
        while True:
            skew = self._skew.seconds
            started = self._runtime.monotonic()
            try:
                result = yield from self._attempt(request, record, invocation_id, skew, deadline)
            except NimbleStopError as error:
                record.note(error)
                verdict = self._judge(error, record, skew, deadline)
                _log(record, self._runtime.monotonic() - started, error, verdict)
                if isinstance(verdict, NimbleStopError):
                    raise verdict from verdict.__cause__
            else:
                self._quota.give_back(paid)
                _log(record, self._runtime.monotonic() - started)
                return result
            yield Sleep(verdict.delay)
            record.waited += verdict.delay
            paid = verdict.cost

    def _attempt(
        self,
        request: Request[ModelT],
        record: CallRecord,
        invocation_id: str,
        skew: float,
        deadline: Deadline,
    ) -> Steps[ModelT]:
        attempt = record.attempts + 1
        headers = {
            "amz-sdk-invocation-id": invocation_id,
            "amz-sdk-request": f"attempt={attempt}; max={self._config.retry.max_attempts}",
        }
        wire: WireRequest = yield Sign(request, headers, skew)
        remaining = deadline.remaining
        if remaining <= 0:
            raise DeadlineExceededError(f"{deadline} was over before the request was sent.")
        record.attempts, record.request_id = attempt, None
        timeouts = self._config.timeouts
        sent = self._runtime.now()
        answer: Response = yield Send(wire, timeouts.connect, timeouts.read, remaining)
        response = wire.redact(answer)
        record.request_id = response.request_id
        if response.resent:
            record.note_sent()
        self._skew.observe(response.headers, sent, self._runtime.now())
        try:
            return parse_response(request.operation, response)
        except (ServiceError, ResponseDecodeError):
            response = wire.redact_error(answer)
            record.request_id = response.request_id
        # The error is made of it once more, without its shortest secrets.
        return parse_response(request.operation, response)

    def _judge(
        self, error: NimbleStopError, record: CallRecord, skew: float, deadline: Deadline
    ) -> _Retry | NimbleStopError:
        """Decide on the next attempt, or on the error that the caller gets."""
        if isinstance(error, DeadlineExceededError):
            return error
        if isinstance(error, TransportError) and deadline.remaining <= 0:
            return _exceeded(deadline, error)
        policy = self._config.retry
        worth_it = policy.retries(error) or self._skew.explains(error, skew)
        if worth_it and record.attempts < policy.max_attempts:
            delay = policy.delay(record.attempts, error, self._runtime.random)
            if delay >= deadline.remaining:
                return _exceeded(deadline, error, when="would be over before the next attempt")
            cost = self._quota.take(error)
            if cost is not None:
                return _Retry(delay, cost)
        if isinstance(error, ConnectionFailedError) and self._config.endpoint.is_aws:
            error.args = (f"{error.message} {CLOSED_NOTICE}",)
        return error


def _exceeded(
    deadline: Deadline, cause: NimbleStopError, when: str = "is over"
) -> DeadlineExceededError:
    error = DeadlineExceededError(f"{deadline} {when}. The last attempt failed: {cause}")
    error.__cause__ = cause
    return error


def _log(
    record: CallRecord,
    seconds: float,
    error: NimbleStopError | None = None,
    verdict: _Retry | NimbleStopError | None = None,
) -> None:
    """Write the one line of an attempt."""
    level = logging.INFO if error else logging.DEBUG
    if not _logger.isEnabledFor(level):
        return
    _logger.log(
        level,
        "%s attempt %d: %s after %.3f s, request id %s%s",
        record.operation,
        record.attempts,
        summary(error) if error else "ok",
        seconds,
        record.request_id or "none",
        f", next attempt in {verdict.delay:.3f} s" if isinstance(verdict, _Retry) else "",
    )
