"""The record of a call, attempt by attempt, for its errors, the log and the user's callback."""

from __future__ import annotations

from typing import Final

import attrs

from nimble_stop import exceptions
from nimble_stop._config.retry_policy import is_throttling
from nimble_stop.exceptions import NimbleStopError, ServiceError

_SERVER_ERRORS: Final = 500


@attrs.frozen(kw_only=True)
class AttemptRecord:
    """One attempt of a call, as `NimbleClient`'s ``on_attempt`` is given it.

    The client's log records carry the same fields.

    Args:
        operation: The API operation, such as ``"StopStreamingSession"``.
        studio_id: The studio that the call is about.
        session_id: The session that the call is about; None for a list.
        client_token: The call's idempotency token; None when the operation takes none.
        attempt: Which attempt of the call it was, from 1.
        http_status: The answer's HTTP status; None when no answer came.
        error: Why it failed, or None.
        request_id: The service's name for the request, for AWS support; or None.
        seconds: How long the attempt took, from signing to the end of the answer.
        next_delay: How many seconds the call waits before the next attempt; None when there is no
            next one.
    """

    operation: str
    studio_id: str | None
    session_id: str | None
    client_token: str | None
    attempt: int
    http_status: int | None
    error: NimbleStopError | None
    request_id: str | None
    seconds: float
    next_delay: float | None


@attrs.define
class CallRecord:
    """What a call has been through, for its errors and for bulk stops."""

    operation: str = ""
    client_token: str | None = None
    attempts: int = 0
    attempt_errors: tuple[str, ...] = ()
    waited: float = 0.0
    outcome_unknown: bool = False
    throttled: bool = False
    http_status: int | None = None
    request_id: str | None = None

    def note(self, error: NimbleStopError) -> None:
        """Add a failed attempt, and set on its error what the call has been through."""
        self.attempt_errors += (summary(error),)
        self.throttled = self.throttled or is_throttling(error)
        # Only operations that change something take a token.
        if self.client_token is not None and _may_have_acted(error):
            self.outcome_unknown = True
        if isinstance(error, ServiceError | exceptions.ResponseDecodeError):
            self.request_id = error.request_id
        self.write_into(error)

    def write_into(self, error: NimbleStopError) -> None:
        """Set it on the error that the caller gets."""
        error.operation = self.operation
        error.client_token = self.client_token
        error.attempts = self.attempts
        error.attempt_errors = self.attempt_errors
        error.waited = self.waited
        error.outcome_unknown = self.outcome_unknown

    def after(self, earlier: CallRecord) -> CallRecord:
        """Add what an earlier call with the same token has been through."""
        return attrs.evolve(
            self,
            attempts=earlier.attempts + self.attempts,
            attempt_errors=earlier.attempt_errors + self.attempt_errors,
            waited=earlier.waited + self.waited,
            outcome_unknown=earlier.outcome_unknown or self.outcome_unknown,
        )

    def how_to_resume(self) -> str:
        repeat = f"; repeat it with client_token={self.client_token!r}" if self.client_token else ""
        return f"{self.operation} was interrupted in attempt {self.attempts}{repeat}"


def _may_have_acted(error: NimbleStopError) -> bool:
    """Whether the service may have done what was asked, although the attempt failed."""
    if isinstance(error, ServiceError):
        return (error.http_status or 0) >= _SERVER_ERRORS
    if isinstance(error, exceptions.TransportError):
        return error.request_sent
    return isinstance(error, exceptions.ResponseDecodeError)


def error_code(error: BaseException) -> str:
    return error.code if isinstance(error, ServiceError) else type(error).__name__


def summary(error: NimbleStopError) -> str:
    status = f" (HTTP {error.http_status})" if isinstance(error, ServiceError) else ""
    return f"{error_code(error)}{status}"
