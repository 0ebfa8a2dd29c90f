from __future__ import annotations

from typing import Any

import attrs
import pytest

from nimble_stop.local import ResetAfterChange
from nimble_stop.local.api.answer import Answer
from nimble_stop.local.api.exchange import Exchange, record
from nimble_stop.local.api.request_target import Route
from tests.local.support import RECORD


def test_what_is_noted_down() -> None:
    """A record holds what was asked for and how it was answered."""
    exchange = Exchange(
        "POST",
        b"/x",
        {b"x-amz-client-token": [b"t"], b"user-agent": [b"u"]},
        body=b"{}",
    )
    exchange.route = Route("StopStreamingSession", "s", "x")
    exchange.faults.append("Latency")
    noted = record(exchange, Answer(status=200, body=b"", applied=True), number=1, now=60.0)
    assert (noted.operation, noted.studio_id, noted.session_id) == (
        "StopStreamingSession",
        "s",
        "x",
    )
    assert (noted.client_token, noted.user_agent, noted.attempt) == ("t", "u", None)
    assert (noted.status, noted.applied, noted.faults) == (200, True, ("Latency",))
    assert noted.request_id == exchange.request_id
    assert noted.time.timestamp() == 60
    assert 0 < noted.seconds < 60


def test_nothing_secret_is_noted_down() -> None:
    """Neither the signature nor the session token is kept."""
    exchange = Exchange(
        "GET",
        b"/x?X-Amz-Signature=s3cret&x%2damz-security%2Dtoken=s3cret&%58-Amz-Signature=s3cret"
        b"&ownedBy=me",
        {b"authorization": [b"Signature=s3cret"], b"x-amz-security-token": [b"s3cret"]},
    )
    noted = record(exchange, Answer(status=403, body=b""), number=1, now=0.0)
    assert "s3cret" not in repr(noted)
    assert "s3cret" not in repr(exchange)
    assert noted.path.endswith("&ownedBy=me")


def test_what_is_noted_down_is_cut() -> None:
    """Nobody can fill the memory by sending much."""
    exchange = Exchange(
        "POST", b"/" + b"x" * 100_000, {b"user-agent": [b"u" * 100_000]}, body=b"x" * 100_000
    )
    noted = record(exchange, Answer(status=403, body=b""), number=1, now=0.0)
    assert (len(noted.path), len(noted.body)) == (2048, 2048)
    assert noted.user_agent == "u" * 256


def test_a_reset_has_no_status() -> None:
    """A request whose answer never left is noted down without one."""
    answer = Answer(status=200, body=b"", applied=True, delivery=ResetAfterChange())
    noted = record(Exchange("POST", b"/x", {}), answer, number=1, now=0.0)
    assert (noted.status, noted.applied) == (None, True)


def test_a_record_is_one_readable_line() -> None:
    """It says what was asked for and what became of it, and no id can break the line."""
    assert str(RECORD) == r"StopStreamingSession 's'/'x\n' -> 200 applied token='t'"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"status": 429, "error_code": "ThrottlingException", "faults": ("ServiceFailure",)},
            "StopStreamingSession 's' -> 429 ThrottlingException faults=ServiceFailure",
        ),
        ({"operation": None, "studio_id": None, "status": None}, "POST '/x' -> connection reset"),
    ],
)
def test_what_else_is_in_the_line(changes: dict[str, Any], line: str) -> None:
    """Errors, faults and resets are; where there is no operation, the target is shown."""
    nothing: dict[str, Any] = {"applied": False, "session_id": None, "client_token": None}
    assert str(attrs.evolve(RECORD, **nothing, **changes)) == line
