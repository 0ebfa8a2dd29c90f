from __future__ import annotations

import pytest

from nimble_stop._call.record import CallRecord, summary
from nimble_stop.exceptions import (
    ConflictException,
    ConnectionFailedError,
    ConnectionLostError,
    DeadlineExceededError,
    NimbleStopError,
    ReadTimeoutError,
    ResponseDecodeError,
    ServiceError,
    ThrottlingException,
    TransportError,
)


def service_error(kind: type[ServiceError], status: int) -> ServiceError:
    """Make an error as an answer with this status makes it."""
    error = kind("no")
    error.http_status = status
    return error


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (service_error(ConflictException, 409), False),
        (service_error(ServiceError, 500), True),
        (service_error(ServiceError, 503), True),
        (ConnectionFailedError("refused"), False),
        (TransportError("whatever"), False),
        (ConnectionLostError("gone"), True),
        (ReadTimeoutError("slow"), True),
        (ResponseDecodeError("garbage"), True),
        (DeadlineExceededError("over"), False),
    ],
    ids=repr,
)
@pytest.mark.parametrize("client_token", ["token-1", None])
def test_outcome(error: NimbleStopError, client_token: str | None, *, unknown: bool) -> None:
    """The outcome is unknown when the service may have acted, on a call that changes something."""
    record = CallRecord(client_token=client_token, attempts=1)
    record.note(error)

    assert record.outcome_unknown is (unknown and client_token is not None)


def test_attempts_that_failed() -> None:
    """Each attempt leaves a word on its failure."""
    record = CallRecord()
    for error in (service_error(ThrottlingException, 429), ConnectionLostError("gone")):
        record.attempts += 1
        record.note(error)

    assert record.attempt_errors == ("ThrottlingException (HTTP 429)", "ConnectionLostError")
    assert record.attempt_errors[1] == summary(ConnectionLostError("other words"))
    assert record.throttled


def test_written_into_an_error() -> None:
    """An error has all that its call has been through."""
    record = CallRecord("StopStreamingSession", "token-1", 2, ("a", "b"), 0.5, outcome_unknown=True)
    error = NimbleStopError("no")
    record.write_into(error)

    assert (error.operation, error.client_token, error.attempts) == (
        "StopStreamingSession",
        "token-1",
        2,
    )
    assert (error.attempt_errors, error.waited, error.outcome_unknown) == (("a", "b"), 0.5, True)


def test_following() -> None:
    """A call that repeats an earlier one with its token describes both."""
    earlier = CallRecord("Stop", "token-1", 3, ("a", "b", "c"), 1.5, outcome_unknown=True)
    later = CallRecord("Stop", "token-1", 1, ("d",), 0.25)

    assert later.after(earlier) == CallRecord(
        "Stop", "token-1", 4, ("a", "b", "c", "d"), 1.75, outcome_unknown=True
    )


@pytest.mark.parametrize(
    ("client_token", "expected"),
    [
        ("t-1", "Stop was interrupted in attempt 2; repeat it with client_token='t-1'"),
        (None, "Stop was interrupted in attempt 2"),
    ],
)
def test_how_to_resume(client_token: str | None, expected: str) -> None:
    """The note for whoever interrupts a call names the token to repeat it with."""
    assert CallRecord("Stop", client_token, 2).how_to_resume() == expected
