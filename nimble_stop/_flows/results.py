"""What a bulk run is asked for, and what it gives for each session.

The client token of a session is derived from the id of the run, so that a run can be repeated.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import attrs

from nimble_stop._api.arguments import checked_count, checked_id, checked_retention, checked_text
from nimble_stop._call.record import CallRecord
from nimble_stop._config.options import WAIT_SECONDS
from nimble_stop.exceptions import NimbleStopError, RequestValidationError

if TYPE_CHECKING:
    from nimble_stop._call.deadline import Deadline
    from nimble_stop.models import StreamingSession, VolumeRetentionMode


@attrs.frozen(kw_only=True)
class StopResult:
    """The result for one session of several.

    When the service repeats its answer to an earlier run with the same run id, that answer is an
    old one: the session may have been started again since. The run then reads the session once.
    One that is not stopped or being stopped any more has an error: `UnexpectedStateError` when it
    was started again, `StopFailedError` when its stop failed. To stop such a session, use a new run
    id. A session that the caller may not read is given as the service answered, without an error.

    Args:
        session_id: The session's id.
        session: The session as it was last read; None when it was not.
        error: Why it was not stopped, or None.
        client_token: The idempotency token, derived from run id, studio, session and retention;
            None when the id is invalid.
        attempts: How many requests its stop took.
        repeated: Whether the service repeated the answer to an earlier run with the same run id,
            so that this run changed nothing.
    """

    session_id: str
    session: StreamingSession | None
    error: NimbleStopError | None
    client_token: str | None
    attempts: int
    repeated: bool = False


@attrs.frozen(kw_only=True)
class BulkOptions:
    """How sessions are to be stopped. `NimbleClient.stop_sessions` documents most of it.

    Args:
        deadline: For how many seconds a session is polled.
        may_repeat: Whether there may have been an earlier run with the same run id.
        began: When the run began that these sessions are a batch of, in seconds since 1970; None
            for a run of its own.
    """

    studio_id: str
    retention: VolumeRetentionMode | str | None
    run_id: str
    max_concurrency: int
    wait: bool
    deadline: float = WAIT_SECONDS
    may_repeat: bool = True
    began: float | None = None

    def __attrs_post_init__(self) -> None:
        checked_id("studio_id", self.studio_id)
        checked_retention(self.retention)
        checked_text("run_id", self.run_id)
        checked_count("max_concurrency", self.max_concurrency)

    def token(self, session_id: str) -> str:
        return derived_token(self.run_id, self.studio_id, session_id, self.retention)


def derived_token(run_id: str, studio_id: str, session_id: str, retention: str | None) -> str:
    """Derive the client token of one session in a run: the same for the same four values."""
    origin = json.dumps([run_id, studio_id, session_id, retention])
    return hashlib.sha256(origin.encode()).hexdigest()


@attrs.define(eq=False)
class Job:
    """One session in a run, from its first stop request to its result."""

    session_id: str
    client_token: str | None
    turns: int = 0
    record: CallRecord = attrs.field(factory=CallRecord)
    session: StreamingSession | None = None
    error: NimbleStopError | None = None
    repeated: bool = False
    limit: Deadline | None = None

    @property
    def result(self) -> StopResult:
        return StopResult(
            session_id=self.session_id,
            session=self.session,
            error=self.error,
            client_token=self.client_token,
            attempts=self.record.attempts,
            repeated=self.repeated,
        )


def invalid_id(session_id: str) -> StopResult | None:
    """Give the result of an invalid id; None when the id is valid."""
    try:
        checked_id("session_id", session_id)
    except RequestValidationError as error:
        return Job(session_id, None, error=error).result
    return None
