"""What the endpoint answers: AWS's error codes, and the ways in which an answer is sent.

Every refusal, whoever decides it, is a `Refusal`, and its body has ``message``, ``code`` and
``context`` as the API promises. Pure: no socket.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Final, TypeAlias

import attrs

JSON: Final = "application/json"
SERVER: Final = "nimble-stop"

STATUSES: Final[Mapping[str, int]] = {
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
"""The status that goes with each error code that this endpoint knows."""


@attrs.define(eq=False)
class Refusal(Exception):  # noqa: N818  # it is an answer, and no error of this program
    """A request is answered with an error, and nothing was changed.

    Args:
        code: The error code; one that is not in `STATUSES` needs a status.
        message: What is wrong, for the caller.
        context: More about it.
        reason: The body's member ``code``, by default the error code: AWS does not document its
            values, and old clients take it for the error code even where the header says otherwise.
    """

    code: str
    message: str
    context: Mapping[str, str] = attrs.field(factory=dict[str, str])
    status: int = attrs.field(
        default=attrs.Factory(lambda self: STATUSES[self.code], takes_self=True), kw_only=True
    )
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], kw_only=True)
    reason: str | None = attrs.field(default=None, kw_only=True)
    verification: Mapping[str, str] | None = attrs.field(default=None, init=False)
    """For the journal only: what `explain_signature` says of a signature that was refused."""


Send: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Sends a part of an answer's body, and before the first part the head."""


class Delivery(ABC):
    """A way of sending an answer other than as it is."""

    sends_status: ClassVar[bool] = True
    """Whether the client gets to see the answer's status."""

    is_endless: ClassVar[bool] = False
    """Whether more than the body is sent, so that no length can be announced."""

    @abstractmethod
    async def deliver(self, body: bytes, send: Send) -> None:
        """Send an answer with this body; of one that is not sent whole the connection is closed.

        Raises:
            ConnectionResetError: The connection is to be reset.
        """


@attrs.frozen(kw_only=True)
class Answer:
    """What is sent back.

    Args:
        headers: All headers but those of the transfer.
        delivery: How it is sent; None sends it as it is.
        error_code: The error code, when it is one of the service's errors.
        applied: Whether the request changed something.
        from_service: Whether the service answers, and nothing in between.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    delivery: Delivery | None = None
    error_code: str | None = None
    applied: bool = False
    from_service: bool = True


def refused(refusal: Refusal) -> Answer:
    """Make the answer of a refused request."""
    body = {
        "message": refusal.message,
        "code": refusal.reason or refusal.code,
        "context": dict(refusal.context),
    }
    return Answer(
        status=refusal.status,
        body=json.dumps(body).encode(),
        headers={"Content-Type": JSON, "x-amzn-ErrorType": refusal.code, **refusal.headers},
        error_code=refusal.code,
    )
