"""Everything that can go wrong, as one tree.

::

    NimbleStopError                        never raised itself
    ├── RequestValidationError             bad argument, nothing was sent; also a ValueError
    ├── ConfigurationError                 no region, no credentials, a bad endpoint
    ├── TransportError                     no answer came
    │   ├── ConnectionFailedError          the service could not be reached
    │   ├── ConnectTimeoutError            ... in time
    │   ├── TLSError                       its certificate or the handshake was not accepted
    │   ├── ProxyError                     the proxy in between refused
    │   ├── ConnectionLostError            the connection broke before the whole answer was there
    │   └── ReadTimeoutError               the answer did not come in time
    ├── ResponseDecodeError                an answer came that cannot be understood
    ├── DeadlineExceededError              the time for the whole call is over
    ├── StopFailedError                    a session that was waited for went to STOP_FAILED
    ├── UnexpectedStateError               ... or to a state that does not lead to STOPPED
    └── ServiceError                       the service answered with an error
        ├── AccessDeniedException
        ├── ConflictException
        ├── InternalServerErrorException
        ├── ResourceNotFoundException
        ├── ServiceQuotaExceededException
        ├── ThrottlingException
        └── ValidationException

Names that end in ``Exception`` are AWS's own; names that end in ``Error`` are ours. Every error can
be pickled and copied: all but the message is an attribute with a default. A new error is one class
here and its name in ``__all__``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nimble_stop.models import StreamingSession

__all__ = [
    "AccessDeniedException",
    "ConfigurationError",
    "ConflictException",
    "ConnectTimeoutError",
    "ConnectionFailedError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "InternalServerErrorException",
    "NimbleStopError",
    "ProxyError",
    "ReadTimeoutError",
    "RequestValidationError",
    "ResourceNotFoundException",
    "ResponseDecodeError",
    "ServiceError",
    "ServiceQuotaExceededException",
    "StopFailedError",
    "TLSError",
    "ThrottlingException",
    "TransportError",
    "UnexpectedStateError",
    "ValidationException",
]


class NimbleStopError(Exception):
    """The root of all errors of this package; catch it to catch everything.

    Attributes:
        operation: The API operation, such as ``"StopStreamingSession"``; None outside a call.
        client_token: The idempotency token of the call. Repeating the call with it is safe: what
            was done already is not done again. None when the operation takes no token or the
            call did not get that far.
        attempts: How many requests were sent or tried.
        attempt_errors: Why each attempt failed, oldest first, one short text each.
        waited: How many seconds the call slept between attempts, in all.
        retryable: Whether the same call can succeed later: True, False, or None for not known.
        outcome_unknown: True when the service may have made the change all the same: a request
            was sent and no answer says what became of it. Repeat with the same ``client_token``.
        advice: What to do about this kind of error, in a sentence.
    """

    advice: ClassVar[str] = "Read the message."
    _retryable: ClassVar[bool | None] = None

    def __init__(self, message: str = "", *, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.retryable: bool | None = self._retryable if retryable is None else retryable
        self.operation: str | None = None
        self.client_token: str | None = None
        self.attempts: int = 0
        self.attempt_errors: tuple[str, ...] = ()
        self.waited: float = 0.0
        self.outcome_unknown: bool = False

    @property
    def message(self) -> str:
        """What happened, without the details that ``str()`` adds."""
        return str(self.args[0]) if self.args else ""

    def _details(self) -> Iterator[str]:
        # What str() puts in parentheses behind the message.
        if self.attempts > 1:
            yield f"{self.attempts} attempts"
        if self.waited:
            yield f"{self.waited:.2f} s of waiting between them"

    def _headline(self) -> str:
        return self.message

    def __str__(self) -> str:
        details = ", ".join(self._details())
        return f"{self._headline().rstrip('.')} ({details})." if details else self._headline()


class RequestValidationError(NimbleStopError, ValueError):
    """An argument is wrong. Nothing was sent.

    Attributes:
        argument: The argument's name, such as ``"session_id"``; None when it is about several.
    """

    advice = "Correct the argument; nothing was sent."
    _retryable = False

    def __init__(self, message: str = "", *, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument: str | None = argument


class ConfigurationError(NimbleStopError):
    """The client cannot be set up: no region, no credentials, a bad endpoint or setting."""

    advice = "Correct the setting that the message names; nothing was sent."
    _retryable = False


class TransportError(NimbleStopError):
    """No answer came. The subclasses say why.

    Attributes:
        request_sent: Whether the last attempt's request may have reached the service.
    """

    advice = "Check the network and the endpoint, then repeat with the same client token."
    request_sent: ClassVar[bool] = False
    _retryable = True


class ConnectionFailedError(TransportError):
    """The service could not be reached: an unknown host name, a refused connection."""


class ConnectTimeoutError(ConnectionFailedError):
    """The service could not be reached in time."""


class TLSError(TransportError):
    """The server's certificate or the TLS handshake was not accepted. Never retried."""

    advice = "Check the endpoint's certificate and AWS_CA_BUNDLE; the last attempt sent nothing."
    _retryable = False


class ProxyError(TransportError):
    """The proxy in between refused or could not be understood."""

    advice = "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY; the last attempt reached no service."


class ConnectionLostError(TransportError):
    """The connection broke before the whole answer was there."""

    request_sent = True


class ReadTimeoutError(ConnectionLostError):
    """The answer did not come in time."""


class _SessionError(NimbleStopError):
    """An error that carries a session."""

    def __init__(self, message: str = "", *, session: StreamingSession | None = None) -> None:
        super().__init__(message)
        self.session: StreamingSession | None = session


class DeadlineExceededError(_SessionError):
    """The time for the whole call is over. The ``__cause__`` is the last attempt's error, if any.

    Attributes:
        session: The session as it was last read, when one was being waited for; or None.
    """

    advice = "Allow more time with deadline=, or repeat with the same client token."
    _retryable = True


class _AnswerError(NimbleStopError):
    """An answer came, and it is an error."""

    http_status: int | None = None
    request_id: str | None = None

    def _details(self) -> Iterator[str]:
        if self.http_status is not None:
            yield f"HTTP {self.http_status}"
        if self.request_id:
            yield f"request id {self.request_id}"
        yield from super()._details()


class ResponseDecodeError(_AnswerError):
    """An answer came that cannot be understood.

    Attributes:
        http_status: The answer's status.
        request_id: The service's name for the request, for AWS support; or None.
        body: The answer's raw bytes, at most 1 MiB.
    """

    advice = "Something else answered than the service: check the endpoint and the proxies."

    def __init__(
        self,
        message: str = "",
        *,
        http_status: int | None = None,
        request_id: str | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.http_status: int | None = http_status
        self.request_id: str | None = request_id
        self.body: bytes = body


class StopFailedError(_SessionError):
    """The session went to ``STOP_FAILED``. ``session`` has its status code and message."""

    advice = "The message has the service's reason. Delete the session, or ask AWS support."
    _retryable = False


class UnexpectedStateError(_SessionError):
    """The state of ``session``, as it was last read, does not lead to ``STOPPED``."""

    advice = "Read the session's state; stop it first if it is READY."
    _retryable = False


class ServiceError(_AnswerError):
    """The service answered with an error. An unknown code is this class itself.

    Attributes:
        code: The error's type, such as ``"ThrottlingException"``; the HTTP status in digits when
            the answer names none.
        reason: The ``code`` member of the error's body, or None.
        http_status: The answer's status.
        request_id: The service's name for the request, for AWS support; or None.
        fault: ``"client"``, ``"server"``, or None for not known.
        throttling: Whether the service asks for fewer requests.
        retry_after: How many seconds the answer asked to wait, or None.
        asked_by_aws: Whether ``retry_after`` came in AWS's own header, ``x-amz-retry-after``.
    """

    advice = "Find the code in AWS's list of common errors."
    _fault: ClassVar[Literal["client", "server"] | None] = None
    _throttling: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        context: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        named = "" if type(self) is ServiceError else type(self).__name__
        self.code: str = named if code is None else code
        self.reason: str | None = None
        self.fault: Literal["client", "server"] | None = self._fault
        self.throttling: bool = self._throttling
        self.retry_after: float | None = None
        self.asked_by_aws: bool = False
        self._context: dict[str, str] = dict(context or {})

    @property
    def context(self) -> Mapping[str, str]:
        """The details that the service gave, a read-only mapping of strings."""
        return MappingProxyType(self._context)

    def _headline(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class AccessDeniedException(ServiceError):
    """The caller may not do this (403)."""

    advice = "Check the credentials, the IAM policy and the studio membership."
    _fault, _retryable = "client", False


class ConflictException(ServiceError):
    """Another operation is in progress on the session (409). It can end, or have done the same."""

    advice = "Read the session's state; repeat when the other operation has ended."
    _fault, _retryable = "client", None


class InternalServerErrorException(ServiceError):
    """The service failed inside (500); AWS asks to retry."""

    advice = "Repeat later with the same client token."
    _fault, _retryable = "server", True


class ResourceNotFoundException(ServiceError):
    """The studio or the session does not exist, or was deleted (404)."""

    advice = "Check the studio id, the session id and the region."
    _fault, _retryable = "client", False


class ServiceQuotaExceededException(ServiceError):
    """A quota of the account is used up (402)."""

    advice = "Ask AWS for a higher quota, or free what uses it."
    _fault, _retryable = "client", False


class ThrottlingException(ServiceError):
    """Too many requests (429)."""

    advice = "Send fewer requests at a time; repeat later with the same client token."
    _fault, _retryable = "client", True
    _throttling = True


class ValidationException(ServiceError):
    """The service does not accept the request (400)."""

    advice = "Correct the arguments that the message names."
    _fault, _retryable = "client", False
