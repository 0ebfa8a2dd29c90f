"""How the endpoint refuses: AWS's error codes, their statuses, and the shape of an error's body.

Every refusal, whoever decides it, is a `Refusal` and becomes a body through `error_body`, so each
one carries ``message``, ``code`` and ``context`` as the API promises.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STATUSES", "Refusal", "error_body"]

STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        # The seven that the operations document.
        "AccessDeniedException": 403,
        "ConflictException": 409,
        "InternalServerErrorException": 500,
        "ResourceNotFoundException": 404,
        "ServiceQuotaExceededException": 402,
        "ThrottlingException": 429,
        "ValidationException": 400,
        # AWS's common errors, which any action can answer with.
        "ExpiredTokenException": 403,
        "IncompleteSignatureException": 400,
        "InvalidSignatureException": 403,
        "MissingAuthenticationTokenException": 403,
        "OptInRequired": 403,
        "RequestAbortedException": 400,
        "RequestEntityTooLargeException": 413,
        "RequestExpired": 400,
        "RequestTimeoutException": 408,
        "ServiceUnavailable": 503,
        "ServiceUnavailableException": 503,
        "UnrecognizedClientException": 403,
        # The protocol's own (AWS restJson1).
        "MalformedHttpRequestException": 400,
        "NotAcceptableException": 406,
        "SerializationException": 400,
        "UnknownOperationException": 404,
        "UnsupportedMediaTypeException": 415,
        # What other services answer, and AWS's SDKs retry by its name.
        "AuthFailure": 403,
        "BandwidthLimitExceeded": 503,
        "EC2ThrottledException": 503,
        "InternalFailure": 500,
        "LimitExceededException": 400,
        "PriorRequestNotComplete": 400,
        "ProvisionedThroughputExceededException": 400,
        "RequestLimitExceeded": 503,
        "RequestThrottled": 400,
        "RequestThrottledException": 400,
        "RequestTimeTooSkewed": 403,
        "RequestTimeout": 400,
        "SignatureDoesNotMatch": 403,
        "SlowDown": 503,
        "ThrottledException": 429,
        "Throttling": 400,
        "TooManyRequestsException": 429,
        "TransactionInProgressException": 400,
    }
)
"""The status that goes with each error code that this endpoint knows."""


class Refusal(Exception):  # noqa: N818  # it is an answer, and no error of this program
    """A request is answered with an error, and nothing was changed.

    Args:
        code: The error code, one of `STATUSES`.
        message: What is wrong, for the caller.
        context: More about it, as the body's ``context``.
        status: The HTTP status, where it is not the code's own.
        headers: Further headers of the answer.
    """

    def __init__(
        self,
        code: str,
        message: str,
        context: Mapping[str, str] | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.context: dict[str, str] = dict(context or {})
        self.status: int = STATUSES[code] if status is None else status
        self.headers: dict[str, str] = dict(headers or {})
        self.verification: Mapping[str, str] | None = None
        """For the journal only: what `explain_signature` says of a signature that was refused."""


def error_body(code: str, message: str, context: Mapping[str, str]) -> bytes:
    """Write an error's body.

    The body's ``code`` repeats the error code. AWS does not document its values, and old clients
    take it for the error code even where the header says otherwise.
    """
    return json.dumps({"message": message, "code": code, "context": dict(context)}).encode()
