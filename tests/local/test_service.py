from __future__ import annotations

import logging
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import (
    ClockSkew,
    Fault,
    Latency,
    LocalNimble,
    ProxyPage,
    ServiceFailure,
    StopFails,
    WrongDate,
)

from .support import call, get, send, session_path, sessions_path, signed_headers, stop

if TYPE_CHECKING:
    from .support import Reply

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def assert_is_awss_error(reply: Reply, status: int, code: str) -> None:
    """Check everything that an error always carries."""
    assert (reply.status, reply.error) == (status, code)
    assert UUID.fullmatch(reply.headers["x-amzn-requestid"])
    assert reply.headers["date"].endswith(" GMT")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["code"] == code
    assert isinstance(reply.json["message"], str)
    assert isinstance(reply.json["context"], dict)


def test_a_success(local: LocalNimble) -> None:
    """A stop is answered with the session, a request id and a date."""
    reply = stop(local, "studio-1", "session-1")
    assert (reply.status, reply.session["state"]) == (200, "STOP_IN_PROGRESS")
    assert UUID.fullmatch(reply.headers["x-amzn-requestid"])
    assert reply.headers["date"].endswith(" GMT")
    assert reply.error is None
    assert get(local, "studio-1", "session-1").session["state"] == "STOPPED"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", session_path("studio-1", "gone"), 404, "ResourceNotFoundException"),
        ("GET", "/", 404, "UnknownOperationException"),
        ("GET", "/2020-08-01/studios", 404, "UnknownOperationException"),
        ("PUT", session_path("studio-1", "session-1"), 405, "UnknownOperationException"),
        ("GET", sessions_path("studio-1", "?nextToken=x"), 400, "ValidationException"),
    ],
)
def test_refusals(local: LocalNimble, method: str, path: str, status: int, code: str) -> None:
    """Whatever is refused is refused as AWS would, in all its parts."""
    assert_is_awss_error(call(local, method, path), status, code)


def test_the_signature_is_checked_before_anything_else(local: LocalNimble) -> None:
    """Who is not known learns nothing about operations, sessions or bodies."""
    for path in (session_path("studio-1", "session-1", "stop"), "/unknown"):
        reply = send(local, "POST", path, body=b"{", headers={})
        assert_is_awss_error(reply, 403, "MissingAuthenticationTokenException")
    assert get(local, "studio-1", "session-1").session["state"] == "READY"


def test_a_bad_target_comes_before_the_signature(local: LocalNimble) -> None:
    """A target that cannot be read is refused, whatever the signature says."""
    reply = send(local, "GET", "/%zz", body=None, headers={})
    assert_is_awss_error(reply, 400, "ValidationException")


@pytest.mark.parametrize("segment", ["..", ".", "%2e%2e", "%2E", ""])
def test_hostile_paths(local: LocalNimble, segment: str) -> None:
    """A signed path with dot or empty segments never reaches a session."""
    path = f"/2020-08-01/studios/studio-1/streaming-sessions/x/{segment}/session-1/stop"
    reply = call(local, "POST", path, body=b"{}")
    assert_is_awss_error(reply, 400, "ValidationException")
    assert get(local, "studio-1", "session-1").session["state"] == "READY"


def test_an_internal_failure_is_500_and_nothing_more(
    local: LocalNimble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure of the endpoint itself is retryable, logged, and not the end of it."""

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr("nimble_stop.local.studio.session_operations.Operations._change", fail)
        with caplog.at_level(logging.ERROR, "nimble_stop.local"):
            reply = stop(local, "studio-1", "session-1")
    assert_is_awss_error(reply, 500, "InternalServerErrorException")
    assert "disk" not in reply.json["message"]
    assert reply.headers["x-amzn-requestid"] in caplog.text
    assert stop(local, "studio-1", "session-1").status == 200


def test_service_failures(local: LocalNimble) -> None:
    """An injected error has the form of the service's, with both kinds of retry-after."""
    local.inject(
        ServiceFailure(
            "ThrottlingException",
            message="Slow down.",
            retry_after=2,
            retry_after_milliseconds=1500,
            reason="TOO_MANY",
            context={"a": "b"},
            headers={"X-More": "1"},
        ),
        times=1,
    )
    reply = stop(local, "studio-1", "session-1")
    assert (reply.status, reply.error) == (429, "ThrottlingException")
    assert (reply.headers["retry-after"], reply.headers["x-amz-retry-after"]) == ("2", "1500")
    assert reply.headers["x-more"] == "1"
    assert reply.json == {"message": "Slow down.", "code": "TOO_MANY", "context": {"a": "b"}}
    local.requests.assert_not_stopped("session-1")
    assert local.requests[-1].faults == ("ServiceFailure",)
    assert stop(local, "studio-1", "session-1").status == 200


def test_a_plain_failure_has_no_retry_after(local: LocalNimble) -> None:
    """What was not asked for is not sent."""
    local.inject(ServiceFailure())
    reply = get(local, "studio-1", "session-1")
    assert_is_awss_error(reply, 500, "InternalServerErrorException")
    assert not {"retry-after", "x-amz-retry-after"} & reply.headers.keys()


@pytest.mark.parametrize(
    ("html", "body"),
    [(None, b"<html><body><h1>503</h1></body></html>"), ("<p>ü</p>", "<p>ü</p>".encode())],
)
def test_proxy_pages(local: LocalNimble, html: str | None, body: bytes) -> None:
    """A proxy's page is HTML and carries nothing of the service's."""
    local.inject(ProxyPage(503, html=html))
    reply = stop(local, "studio-1", "session-1")
    assert (reply.status, reply.headers["content-type"]) == (503, "text/html")
    assert reply.body == body
    assert not {"x-amzn-requestid", "x-amzn-errortype"} & reply.headers.keys()
    local.requests.assert_not_stopped("session-1")


def test_a_wrong_date_is_only_in_the_header(local: LocalNimble) -> None:
    """The Date header is off or nonsense, and the signature is accepted all the same."""
    local.inject(WrongDate(-86_400 * 365), times=1)
    local.inject(WrongDate(text="tomorrow"), times=1)
    wrong = parsedate_to_datetime(get(local, "studio-1", "session-1").headers["date"])
    assert timedelta(364) < datetime.now(UTC) - wrong < timedelta(366)
    assert get(local, "studio-1", "session-1").headers["date"] == "tomorrow"
    assert get(local, "studio-1", "session-1").status == 200


@pytest.mark.parametrize("years", [-1000, 1000])
@pytest.mark.parametrize(("kind", "status"), [(ClockSkew, 403), (WrongDate, 200)])
def test_a_date_can_be_off_by_a_thousand_years(
    local: LocalNimble, kind: type[ClockSkew | WrongDate], status: int, years: int
) -> None:
    """As far off as a date can be made, it is written like any other."""
    local.inject(kind(years * 365 * 86_400))
    reply = get(local, "studio-1", "session-1")
    assert reply.status == status
    off = parsedate_to_datetime(reply.headers["date"]) - datetime.now(UTC)
    assert off.days == pytest.approx(years * 365, abs=1)


def test_a_skewed_clock_refuses_and_sends_its_time(local: LocalNimble) -> None:
    """With ClockSkew both the verification and the Date header go by the wrong clock."""
    local.inject(ClockSkew(3600), times=1)
    reply = stop(local, "studio-1", "session-1")
    assert_is_awss_error(reply, 403, "InvalidSignatureException")
    assert "Signature expired" in reply.json["message"]
    assert stop(local, "studio-1", "session-1").status == 200


def test_a_stop_that_fails(local: LocalNimble) -> None:
    """The stop is accepted, and the session ends in STOP_FAILED with the given code."""
    local.inject(StopFails("INSUFFICIENT_CAPACITY", "No hosts."), times=1)
    assert stop(local, "studio-1", "session-1").session["state"] == "STOP_IN_PROGRESS"
    session = get(local, "studio-1", "session-1").session
    assert (session["state"], session["statusCode"]) == ("STOP_FAILED", "INSUFFICIENT_CAPACITY")
    assert session["statusMessage"] == "No hosts."
    assert [record.faults for record in local.requests] == [("StopFails",), ()]


@pytest.mark.parametrize("fault", [Latency(0.01), ServiceFailure(), WrongDate(1)])
def test_faults_also_meet_unknown_operations(local: LocalNimble, fault: Fault) -> None:
    """A rule that names nothing fits every request."""
    rule = local.inject(fault)
    call(local, "GET", "/unknown")
    assert rule.fired == 1


def test_latency_and_failure_combine(local: LocalNimble) -> None:
    """Faults that act at different points both happen."""
    local.inject(Latency(0.01))
    local.inject(ServiceFailure("ThrottlingException"))
    assert get(local, "studio-1", "session-1").status == 429
    assert local.requests[-1].faults == ("Latency", "ServiceFailure")


def test_the_journal_knows_attempts(local: LocalNimble) -> None:
    """The SDK's headers, the token and the caller are noted down, and no secret."""
    path = session_path("studio-1", "session-1", "stop")
    headers = {
        **signed_headers(local, "POST", path, body=b"{}", token="token-1"),
        "amz-sdk-request": "attempt=2; max=3",
        "amz-sdk-invocation-id": "invocation-1",
    }
    assert send(local, "POST", path, body=b"{}", headers=headers).status == 200
    record = local.requests[-1]
    assert (record.attempt, record.invocation_id) == ("attempt=2; max=3", "invocation-1")
    assert (record.client_token, record.caller) == ("token-1", "LOCALNIMBLE")
    assert headers["Authorization"].rpartition("=")[2] not in repr(record)
