from __future__ import annotations

from datetime import UTC, datetime

import attrs

from nimble_stop.local import RequestRecord

RECORD = RequestRecord(
    time=datetime(2026, 1, 2, tzinfo=UTC),
    method="POST",
    path="/x",
    operation="StopStreamingSession",
    studio_id="s",
    session_id="x\n",
    caller="AKID",
    client_token="t",
    attempt="attempt=1",
    invocation_id="i",
    user_agent="u",
    body=b"{}",
    status=200,
    error_code=None,
    request_id="r",
    applied=True,
    faults=(),
    seconds=0.1,
)


def test_a_record_is_one_readable_line() -> None:
    """It says what was asked for and what became of it, and no id can break the line."""
    assert str(RECORD) == r"StopStreamingSession 's'/'x\n' -> 200 applied token='t'"


def test_a_failed_request() -> None:
    """Errors and faults are in the line."""
    record = attrs.evolve(
        RECORD,
        applied=False,
        status=429,
        error_code="ThrottlingException",
        faults=("ServiceFailure",),
        session_id=None,
        client_token=None,
    )
    assert str(record) == (
        "StopStreamingSession 's' -> 429 ThrottlingException faults=ServiceFailure"
    )


def test_a_reset_and_an_unknown_operation() -> None:
    """Where there is no operation the target is shown, and where no status, the reset."""
    record = attrs.evolve(
        RECORD,
        operation=None,
        studio_id=None,
        session_id=None,
        client_token=None,
        status=None,
        applied=False,
    )
    assert str(record) == "POST '/x' -> connection reset"
