"""What an error answer means: its type, and whether the call is worth repeating.

The type is resolved as Smithy's JSON protocols say: header ``x-amzn-errortype``, else ``__type``,
else ``code`` in the body; without the part from the first colon on, and without a namespace up to
``#``. The advice follows AWS's standard retry mode.
https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, Any, Final, cast

from nimble_stop import exceptions
from nimble_stop.exceptions import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODELED: Final[Mapping[str, type[ServiceError]]] = {
    error.__name__: error
    for error in map(vars(exceptions).__getitem__, exceptions.__all__)
    if issubclass(error, ServiceError) and error is not ServiceError
}
_TRANSIENT_STATUSES: Final = frozenset({500, 502, 503, 504})
_TRANSIENT_CODES: Final = frozenset({"RequestTimeout", "RequestTimeoutException"})
_THROTTLING_CODES: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_MOST_DIGITS: Final = 15


def service_error(
    status: int, headers: Mapping[str, str], members: Mapping[str, Any], request_id: str | None
) -> ServiceError:
    """Make the exception for an error answer; a body that cannot be read has no members."""
    named = _error_type(headers, members)
    code = named or str(status)
    message = _message(members) or ("" if named else responses.get(status, ""))
    kind = _MODELED.get(code)
    error = (kind or ServiceError)(message, code=code, context=_context(members))
    error.http_status = status
    error.request_id = request_id
    milliseconds = _digits(headers.get("x-amz-retry-after", ""))
    error.asked_by_aws = milliseconds is not None
    error.retry_after = _retry_after(headers) if milliseconds is None else milliseconds / 1000
    reason = members.get("code")
    error.reason = reason if isinstance(reason, str) else None
    if kind is None:
        error.retryable = False
        if status >= HTTPStatus.BAD_REQUEST:
            error.fault = "server" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "client"
    if code in _THROTTLING_CODES or (status == HTTPStatus.TOO_MANY_REQUESTS and not kind):
        error.throttling = error.retryable = True
    if status in _TRANSIENT_STATUSES or code in _TRANSIENT_CODES:
        error.retryable = True
    return error


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After``: seconds, or an HTTP date that is held against the answer's ``Date``."""
    value = headers.get("retry-after", "")
    seconds = _digits(value)
    if seconds is not None:
        return float(seconds)
    until, date = http_date(value), http_date(headers.get("date", ""))
    if until is None or date is None or until < date:
        return None
    return (until - date).total_seconds()


@lru_cache(maxsize=8)
def http_date(value: str) -> datetime | None:
    """Read an HTTP date; None when it is none. The answers of one second all have the same."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _digits(value: str) -> int | None:
    """Read a whole number; whatever is invalid or negative is none."""
    text = value.strip()
    # More digits than this is no time that anybody waits, and int() refuses thousands of them.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _error_type(headers: Mapping[str, str], members: Mapping[str, Any]) -> str:
    for source in (headers.get("x-amzn-errortype"), members.get("__type"), members.get("code")):
        if isinstance(source, str):
            name = source.partition(":")[0].rpartition("#")[2].strip()
            # Line breaks and the like would forge lines in a log; no code has them.
            if name and name.isprintable():
                return name
    return ""


def _message(members: Mapping[str, Any]) -> str:
    texts = {name.lower(): text for name, text in members.items() if isinstance(text, str)}
    return next((texts[name] for name in ("message", "errormessage") if name in texts), "")


def _context(members: Mapping[str, Any]) -> dict[str, str]:
    context: object = members.get("context")
    if not isinstance(context, dict):
        return {}
    entries = cast("dict[str, object]", context)
    return {key: value for key, value in entries.items() if isinstance(value, str)}
