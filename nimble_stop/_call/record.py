"""What a call goes through, attempt by attempt, and what its error tells of it."""

from __future__ import annotations

from typing import Final

import attrs

from nimble_stop._call.retry import is_throttling
from nimble_stop.exceptions import (
    NimbleStopError,
    ResponseDecodeError,
    ServiceError,
    TransportError,
)

_SERVER_ERRORS: Final = 500


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
            self.attempt_errors += (summary(error),)
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


def _may_have_acted(error: NimbleStopError) -> bool:
    """Tell whether the service may have done what was asked, although the attempt failed."""
    if isinstance(error, ServiceError):
        return (error.http_status or 0) >= _SERVER_ERRORS
    if isinstance(error, TransportError):
        return error.request_sent
    return isinstance(error, ResponseDecodeError)


def summary(error: NimbleStopError) -> str:
    """Say in a few words why an attempt failed."""
    if isinstance(error, ServiceError):
        return f"{error.code} (HTTP {error.http_status})"
    return type(error).__name__
