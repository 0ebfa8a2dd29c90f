"""Typed client for Amazon Nimble Studio's StopStreamingSession.

    >>> import nimble_stop
    >>> nimble_stop.stop_session("studio-1", "session-1", retention="RETAIN")  # doctest: +SKIP

Importing the package is cheap: its parts are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nimble_stop._version import __version__

if TYPE_CHECKING:
    from nimble_stop._call.retry import RetryPolicy
    from nimble_stop._client.async_client import AsyncNimbleClient
    from nimble_stop._client.default_client import stop_session
    from nimble_stop._client.sync_client import NimbleClient
    from nimble_stop._config.options import Timeouts
    from nimble_stop._config.runtime import Runtime
    from nimble_stop._flows.bulk import StopResult
    from nimble_stop._flows.tasks import AsyncStopRun
    from nimble_stop._flows.threads import StopRun
    from nimble_stop.exceptions import (
        AccessDeniedException,
        ConfigurationError,
        ConflictException,
        ConnectionFailedError,
        ConnectionLostError,
        ConnectTimeoutError,
        DeadlineExceededError,
        InternalServerErrorException,
        NimbleStopError,
        ProxyError,
        ReadTimeoutError,
        RequestValidationError,
        ResourceNotFoundException,
        ResponseDecodeError,
        ServiceError,
        ServiceQuotaExceededException,
        StopFailedError,
        ThrottlingException,
        TLSError,
        TransportError,
        UnexpectedStateError,
        ValidationException,
    )
    from nimble_stop.models import (
        AutomaticTerminationMode,
        SessionBackupMode,
        SessionPersistenceMode,
        StreamingSession,
        StreamingSessionState,
        StreamingSessionStatusCode,
        VolumeConfiguration,
        VolumeRetentionMode,
    )

__all__ = [
    "AccessDeniedException",
    "AsyncNimbleClient",
    "AsyncStopRun",
    "AutomaticTerminationMode",
    "ConfigurationError",
    "ConflictException",
    "ConnectTimeoutError",
    "ConnectionFailedError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "InternalServerErrorException",
    "NimbleClient",
    "NimbleStopError",
    "ProxyError",
    "ReadTimeoutError",
    "RequestValidationError",
    "ResourceNotFoundException",
    "ResponseDecodeError",
    "RetryPolicy",
    "Runtime",
    "ServiceError",
    "ServiceQuotaExceededException",
    "SessionBackupMode",
    "SessionPersistenceMode",
    "StopFailedError",
    "StopResult",
    "StopRun",
    "StreamingSession",
    "StreamingSessionState",
    "StreamingSessionStatusCode",
    "TLSError",
    "ThrottlingException",
    "Timeouts",
    "TransportError",
    "UnexpectedStateError",
    "ValidationException",
    "VolumeConfiguration",
    "VolumeRetentionMode",
    "__version__",
    "stop_session",
]

_MODULE_OF = {
    "AsyncNimbleClient": "_client.async_client",
    "AsyncStopRun": "_flows.tasks",
    "NimbleClient": "_client.sync_client",
    "RetryPolicy": "_call.retry",
    "Runtime": "_config.runtime",
    "StopResult": "_flows.bulk",
    "StopRun": "_flows.threads",
    "Timeouts": "_config.options",
    "stop_session": "_client.default_client",
}
_MODELS = frozenset(
    {
        "AutomaticTerminationMode",
        "SessionBackupMode",
        "SessionPersistenceMode",
        "StreamingSession",
        "StreamingSessionState",
        "StreamingSessionStatusCode",
        "VolumeConfiguration",
        "VolumeRetentionMode",
    }
)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _MODULE_OF.get(name) or ("models" if name in _MODELS else "exceptions")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
