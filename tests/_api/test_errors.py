from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given, strategies as st

from nimble_stop import exceptions
from nimble_stop._api.errors import http_date, service_error
from nimble_stop.exceptions import ServiceError

SEVEN = {
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "InternalServerErrorException": 500,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 402,
    "ThrottlingException": 429,
    "ValidationException": 400,
}
FORMS = [
    "{}",
    "{}:",
    "{}:http://internal.amazon.com/coral/com.amazon.coral.validate/",
    "com.amazonaws.nimble#{}",
    "com.amazonaws.nimble#{}:http://internal.amazon.com/",
    "aws.protocoltests#com.amazonaws#{}",
    " {} ",
    "{} :http://x#y",
]
COMMON = [
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "UnrecognizedClientException",
    "Teapot",
    "conflictexception",
    "ServiceError",
    "NimbleStopError",
    "TransportError",
]


def read(
    status: int = 400,
    headers: dict[str, str] | None = None,
    members: dict[str, Any] | None = None,
) -> ServiceError:
    """Read an error answer."""
    return service_error(status, headers or {}, members or {}, "request-1")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", ["x-amzn-errortype", "__type", "code"])
@pytest.mark.parametrize(("code", "status"), SEVEN.items())
def test_the_seven(code: str, status: int, source: str, form: str) -> None:
    """Each of the seven is known by header, `__type` or `code`, in all forms of each."""
    name = form.format(code)
    members = {"message": "no", "context": {"a": "b"}}
    if source == "x-amzn-errortype":
        error = read(status, {source: name}, members)
    else:
        error = read(status, {}, {**members, source: name})

    assert type(error) is getattr(exceptions, code)
    assert (error.code, error.http_status, error.message) == (code, status, "no")
    assert error.context == {"a": "b"}
    assert error.request_id == "request-1"
    assert error.reason == (name if source == "code" else None)


# Header, __type, code in the body, and whose word counts.
PRECEDENCE: list[tuple[str | None, object, object, str]] = [
    ("ConflictException", "ValidationException", "ThrottlingException", "ConflictException"),
    (None, "ValidationException", "ThrottlingException", "ValidationException"),
    ("", "ValidationException", "ThrottlingException", "ValidationException"),
    (":http://x/", "ValidationException", None, "ValidationException"),
    ("ns#", None, "ThrottlingException", "ThrottlingException"),
    (None, None, "ThrottlingException", "ThrottlingException"),
    (None, 1, "ThrottlingException", "ThrottlingException"),
    (None, "", "ThrottlingException", "ThrottlingException"),
    ("Unheard", None, "ThrottlingException", "Unheard"),
    (None, None, None, "409"),
    (None, None, 12, "409"),
    (None, {}, [], "409"),
    ("Evil\nlog line", "ValidationException", None, "ValidationException"),
    (None, "Evil\x1b[2J", "\ud800", "409"),
]


@pytest.mark.parametrize(("header", "kind", "code", "expected"), PRECEDENCE)
def test_precedence(header: str | None, kind: object, code: object, expected: str) -> None:
    """The header counts before `__type`, that before `code`, and all before the status."""
    headers = {} if header is None else {"x-amzn-errortype": header}
    members = {name: value for name, value in (("__type", kind), ("code", code)) if value}

    assert read(409, headers, members).code == expected


@pytest.mark.parametrize("code", COMMON)
def test_unknown_codes(code: str) -> None:
    """An unknown code is a plain ServiceError that keeps it, and is not worth repeating."""
    error = read(403, {"x-amzn-errortype": code}, {"message": "no"})

    assert type(error) is ServiceError
    assert error.code == code
    assert (error.fault, error.retryable, error.throttling) == ("client", False, False)


THROTTLING = """
    Throttling ThrottlingException ThrottledException RequestThrottledException
    TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded LimitExceededException
    RequestThrottled SlowDown ProvisionedThroughputExceededException TransactionInProgressException
    PriorRequestNotComplete EC2ThrottledException
"""


@pytest.mark.parametrize("status", [400, 429, 503])
@pytest.mark.parametrize("code", THROTTLING.split())
def test_throttling_codes(code: str, status: int) -> None:
    """AWS's throttling codes are throttling, whatever their status."""
    error = read(status, {"x-amzn-errortype": code})

    assert (error.throttling, error.retryable) == (True, True)


# Status, code, fault, retryable, throttling.
ADVICE: list[tuple[int, str | None, str | None, bool | None, bool]] = [
    (500, None, "server", True, False),
    (501, None, "server", False, False),
    (502, None, "server", True, False),
    (503, "ServiceUnavailable", "server", True, False),
    (504, None, "server", True, False),
    (505, None, "server", False, False),
    (599, "Unheard", "server", False, False),
    (400, None, "client", False, False),
    (400, "RequestTimeout", "client", True, False),
    (408, "RequestTimeoutException", "client", True, False),
    (408, None, "client", False, False),
    (402, None, "client", False, False),
    (403, None, "client", False, False),
    (404, None, "client", False, False),
    (409, None, "client", False, False),
    (429, None, "client", True, True),
    (429, "Unheard", "client", True, True),
    (429, "ConflictException", "client", None, False),
    (503, "ConflictException", "client", True, False),
    (301, None, None, False, False),
    (307, "TemporaryRedirect", None, False, False),
    (503, "AccessDeniedException", "client", True, False),
]


@pytest.mark.parametrize(("status", "code", "fault", "retryable", "throttling"), ADVICE)
def test_advice(
    status: int, code: str | None, fault: str | None, *, retryable: bool | None, throttling: bool
) -> None:
    """Status and code say whose fault it is and whether to repeat, as AWS's standard mode says."""
    error = read(status, {"x-amzn-errortype": code} if code else {})

    assert (error.fault, error.retryable, error.throttling) == (fault, retryable, throttling)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"message": "a"}, "a"),
        ({"Message": "a"}, "a"),
        ({"MESSAGE": "a"}, "a"),
        ({"errorMessage": "a"}, "a"),
        ({"errormessage": "a"}, "a"),
        ({"errorMessage": "b", "message": "a"}, "a"),
        ({"message": None, "errorMessage": "a"}, "a"),
        ({"message": 1, "Message": "a"}, "a"),
        ({"message": ["a"]}, ""),
        ({"message": ""}, ""),
        ({"Messages": "a"}, ""),
        ({}, ""),
    ],
)
def test_message(members: dict[str, Any], expected: str) -> None:
    """The message is found under all of its names, in any case; it is a string or nothing."""
    error = read(409, {"x-amzn-errortype": "ConflictException"}, members)

    assert error.message == expected
    assert str(error).startswith("ConflictException")


@pytest.mark.parametrize(
    ("status", "text"),
    [(502, "502: Bad Gateway"), (404, "404: Not Found"), (599, "599"), (307, "307: Temporary")],
)
def test_proxy_page(status: int, text: str) -> None:
    """An answer that names no type, as of a proxy, gives the status and what it means."""
    error = read(status)

    assert str(error).startswith(text)
    assert error.code == str(status)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"a": "b"}, {"a": "b"}),
        ({"a": None, "b": 1, "c": ["d"], "e": "f"}, {"e": "f"}),
        ({}, {}),
        (None, {}),
        ([], {}),
        ("a", {}),
    ],
)
def test_context(context: object, expected: dict[str, str]) -> None:
    """The context is a mapping of strings; whatever else is left out."""
    error = read(400, {"x-amzn-errortype": "ValidationException"}, {"context": context})

    assert error.context == expected


@pytest.mark.parametrize(("code", "reason"), [("X", "X"), ("", ""), (None, None), (5, None)])
def test_reason(code: object, reason: str | None) -> None:
    """The body's own code is kept as the reason, without a say in the type."""
    error = read(409, {"x-amzn-errortype": "ConflictException"}, {"code": code})

    assert type(error) is exceptions.ConflictException
    assert error.reason == reason


DATE = "Mon, 23 Nov 2026 01:02:03 GMT"
# x-amz-retry-after, Retry-After, Date, and the seconds, from AWS's own header or not.
WAITS: list[tuple[str | None, str | None, str | None, float | None, bool]] = [
    ("1500", None, None, 1.5, True),
    ("0", None, None, 0.0, True),
    (" 250 ", None, None, 0.25, True),
    ("1500", "7", None, 1.5, True),
    ("-1", None, None, None, False),
    ("1.5", None, None, None, False),
    ("1e3", None, None, None, False),
    ("soon", None, None, None, False),
    ("", None, None, None, False),
    ("²", None, None, None, False),
    ("٣", None, None, None, False),
    ("9" * 15, None, None, 999999999999.999, True),
    ("9" * 16, None, None, None, False),
    ("9" * 5000, None, None, None, False),
    ("-1", "7", None, 7.0, False),
    (None, "7", None, 7.0, False),
    (None, "0", None, 0.0, False),
    (None, "-7", None, None, False),
    (None, "7.5", None, None, False),
    (None, "9" * 5000, None, None, False),
    (None, "Mon, 23 Nov 2026 01:02:10 GMT", DATE, 7.0, False),
    (None, "Mon, 23 Nov 2026 02:02:10 +0100", DATE, 7.0, False),
    (None, DATE, DATE, 0.0, False),
    (None, "Mon, 23 Nov 2026 01:02:02 GMT", DATE, None, False),
    (None, "Mon, 23 Nov 2026 01:02:10 GMT", None, None, False),
    (None, "Mon, 23 Nov 2026 01:02:10 GMT", "yesterday", None, False),
    (None, "tomorrow", DATE, None, False),
    (None, None, DATE, None, False),
]


@pytest.mark.parametrize(("aws", "general", "date", "expected", "asked_by_aws"), WAITS)
def test_retry_after(
    aws: str | None,
    general: str | None,
    date: str | None,
    expected: float | None,
    *,
    asked_by_aws: bool,
) -> None:
    """Both headers that ask to wait are read, AWS's own first; what is invalid is ignored."""
    given_headers = {"x-amz-retry-after": aws, "retry-after": general, "date": date}
    error = read(503, {name: value for name, value in given_headers.items() if value is not None})

    assert error.retry_after == expected
    assert error.asked_by_aws is asked_by_aws


@pytest.mark.parametrize(
    "value", [DATE, "Mon, 23 Nov 2026 01:02:03 -0000", "23 Nov 2026 01:02:03 GMT"]
)
def test_http_date(value: str) -> None:
    """An HTTP date is an aware moment."""
    assert http_date(value) == datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


@given(st.text() | st.text("0123456789 :,+-MonNvGMT", max_size=40))
def test_any_date(value: str) -> None:
    """Any text is an aware moment or nothing, and raises nothing."""
    moment = http_date(value)

    assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Mon, 23 Nov 2026 25:02:03 GMT",
        "Mon, 32 Nov 2026 01:02:03 GMT",
        "Mon, 23 Nov 99999 01:02:03 GMT",
        "Mon, 23 Nov 2026 01:02:03 +9999",
        "Mon, 23 Nov 2026 01:02:03 +99999999999999999999",
        "0 0 0 0 0 0",
        ",",
    ],
)
def test_bad_dates(value: str) -> None:
    """What is no date is nothing."""
    assert http_date(value) is None


@given(
    status=st.integers(300, 599),
    header=st.text(),
    values=st.dictionaries(
        st.sampled_from(["__type", "code", "message", "context"]),
        st.text() | st.none() | st.integers() | st.dictionaries(st.text(), st.text()),
    ),
)
def test_any_error(status: int, header: str, values: dict[str, Any]) -> None:
    """Whatever an answer says, its error has a code in one line, and a text."""
    error = read(status, {"x-amzn-errortype": header}, values)

    assert error.code
    assert error.code == error.code.strip()
    assert error.code.isprintable()
    assert error.http_status == status
    assert error.code in str(error)


def test_every_status_has_its_own_code() -> None:
    """A status alone is the code, in digits."""
    assert {read(int(status)).code for status in HTTPStatus if status >= 300} == {
        str(int(status)) for status in HTTPStatus if status >= 300
    }
