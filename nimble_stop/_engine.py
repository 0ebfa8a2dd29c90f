"""One call, from its request to its result: attempts, delays, deadline, clock skew.

A call is a generator. It yields what it needs done (`Sign`, `Send`, `Sleep`) and is sent the
outcome, so the same code runs under the sync and the async client, and under tests that do nothing
at all. Whatever fails is thrown into it.

Calls that belong together, such as the polls of a wait, are generators that yield from this one.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import attrs

from nimble_stop._arguments import checked_seconds
from nimble_stop._endpoint import CLOSED_NOTICE
from nimble_stop._protocol import Response, parse_response
from nimble_stop._retry import RetryQuota, is_throttling
from nimble_stop._skew import ClockSkew
from nimble_stop.exceptions import (
    ConnectionFailedError,
    DeadlineExceededError,
    NimbleStopError,
    ResponseDecodeError,
    ServiceError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from nimble_stop._authentication import WireRequest
    from nimble_stop._config import Config
    from nimble_stop._protocol import Request
    from nimble_stop._retry import RetryPolicy
    from nimble_stop._runtime import Runtime

ModelT = TypeVar("ModelT")
ResultT = TypeVar("ResultT")

_logger = logging.getLogger("nimble_stop")
_SERVER_ERRORS: Final = 500


class Sign(NamedTuple):
    """Sign an attempt. The outcome is a `WireRequest`.

    Args:
        request: The request.
        headers: The headers that tell this attempt from the others.
        skew: How many seconds the service's clock is ahead of ours.
    """

    request: Request[Any]
    headers: Mapping[str, str]
    skew: float


class Send(NamedTuple):
    """Send a request and read the answer. The outcome is a `Response`.

    Args:
        request: The signed request.
        connect: Seconds for a new connection.
        read: Seconds from then on until the answer's last byte.
        total: Seconds for both together.
    """

    request: WireRequest
    connect: float
    read: float
    total: float


class Sleep(NamedTuple):
    """Wait some seconds. The outcome is None."""

    seconds: float


Effect = Sign | Send | Sleep
# What a generator is sent depends on what it yielded, which the type system cannot express.
Steps = Generator[Effect, Any, ResultT]


def drive(steps: Steps[ResultT], perform: Callable[[Effect], object]) -> ResultT:
    """Run a call, doing each thing it asks for, one after the other."""
    try:
        effect = next(steps)
        while True:
            try:
                outcome = perform(effect)
            except BaseException as error:  # noqa: BLE001 - the call decides what to make of it
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        result: ResultT = stop.value
        return result


async def adrive(steps: Steps[ResultT], perform: Callable[[Effect], Awaitable[object]]) -> ResultT:
    """Do the same as `drive`, awaiting each thing."""
    try:
        effect = next(steps)
        while True:
            try:
                outcome = await perform(effect)
            except BaseException as error:  # noqa: BLE001 - the call decides what to make of it
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        result: ResultT = stop.value
        return result


class Deadline:
    """A point in time by which everything must be over."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._paused_at = monotonic()
        self._end = self._paused_at + seconds

    def __str__(self) -> str:
        return f"The deadline of {self.seconds:g} s"

    @property
    def remaining(self) -> float:
        """How many seconds are left; less than nothing when it has passed."""
        return self._end - self._monotonic()

    def pause(self) -> None:
        """Let the time until `resume` not count."""
        self._paused_at = self._monotonic()

    def resume(self) -> None:
        """Let the time count again."""
        self._end += self._monotonic() - self._paused_at


@attrs.define
class CallRecord:
    """What a call has been through, for its errors, the log and bulk stops to tell."""

    operation: str = ""
    client_token: str | None = None
    attempts: int = 0
    attempt_errors: tuple[str, ...] = ()
    waited: float = 0.0
    outcome_unknown: bool = False
    throttled: bool = False
    request_id: str | None = None

    def note(self, error: NimbleStopError) -> None:
        """Take down why an attempt failed."""
        # Signing can fail before there is an attempt.
        if len(self.attempt_errors) < self.attempts:
            self.attempt_errors += (_summary(error),)
        self.throttled = self.throttled or is_throttling(error)
        if _may_have_acted(error):
            self.note_sent()

    def note_sent(self) -> None:
        """Take down that a request went out, and that no answer says what became of it."""
        # Only operations that change something take a token.
        if self.client_token is not None:
            self.outcome_unknown = True

    def write_into(self, error: NimbleStopError) -> None:
        """Put all of it on the error that the caller gets."""
        error.operation = self.operation
        error.client_token = self.client_token
        error.attempts = self.attempts
        error.attempt_errors = self.attempt_errors
        error.waited = self.waited
        error.outcome_unknown = self.outcome_unknown

    def following(self, earlier: CallRecord) -> CallRecord:
        """Add what an earlier call with the same token has been through."""
        return attrs.evolve(
            self,
            attempts=earlier.attempts + self.attempts,
            attempt_errors=earlier.attempt_errors + self.attempt_errors,
            waited=earlier.waited + self.waited,
            outcome_unknown=earlier.outcome_unknown or self.outcome_unknown,
        )

    def how_to_resume(self) -> str:
        """Say how a call that was broken off can be repeated safely."""
        repeat = f"; repeat it with client_token={self.client_token!r}" if self.client_token else ""
        return f"{self.operation} was broken off in attempt {self.attempts}{repeat}"


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


def _may_have_acted(error: NimbleStopError) -> bool:
    """Tell whether the service may have done what was asked, although the attempt failed."""
    if isinstance(error, ServiceError):
        return (error.http_status or 0) >= _SERVER_ERRORS
    if isinstance(error, TransportError):
        return error.request_sent
    return isinstance(error, ResponseDecodeError)


def _summary(error: NimbleStopError) -> str:
    """Say in a few words why an attempt failed."""
    if isinstance(error, ServiceError):
        return f"{error.code} (HTTP {error.http_status})"
    return type(error).__name__


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
        _summary(error) if error else "ok",
        seconds,
        record.request_id or "none",
        f", next attempt in {verdict.delay:.3f} s" if isinstance(verdict, _Retry) else "",
    )
