"""Typed client for Amazon Nimble Studio's StopStreamingSession.

    >>> import nimble_stop
    >>> nimble_stop.stop_session("studio-1", "session-1", retention="RETAIN")  # doctest: +SKIP

Importing the package is cheap: all but the exceptions is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nimble_stop import exceptions
from nimble_stop._version import __version__
from nimble_stop.exceptions import *  # noqa: F403 - a new exception is one class and its name there

if TYPE_CHECKING:
    from nimble_stop._call.record import AttemptRecord
    from nimble_stop._client.async_client import AsyncNimbleClient
    from nimble_stop._client.default_client import reset_default_client, stop_session
    from nimble_stop._client.sync_client import NimbleClient
    from nimble_stop._config.options import Timeouts
    from nimble_stop._config.retry_policy import RetryPolicy
    from nimble_stop._config.runtime import Runtime
    from nimble_stop._flows.results import StopResult
    from nimble_stop._flows.tasks import AsyncStopRun
    from nimble_stop._flows.threads import StopRun
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

__all__: list[str] = [
    "AsyncNimbleClient",
    "AsyncStopRun",
    "AttemptRecord",
    "AutomaticTerminationMode",
    "NimbleClient",
    "RetryPolicy",
    "Runtime",
    "SessionBackupMode",
    "SessionPersistenceMode",
    "StopResult",
    "StopRun",
    "StreamingSession",
    "StreamingSessionState",
    "StreamingSessionStatusCode",
    "Timeouts",
    "VolumeConfiguration",
    "VolumeRetentionMode",
    "__version__",
    "reset_default_client",
    "stop_session",
]
__all__ += exceptions.__all__

_MODULE_OF = {
    "AsyncNimbleClient": "_client.async_client",
    "AsyncStopRun": "_flows.tasks",
    "AttemptRecord": "_call.record",
    "NimbleClient": "_client.sync_client",
    "RetryPolicy": "_config.retry_policy",
    "Runtime": "_config.runtime",
    "StopResult": "_flows.results",
    "StopRun": "_flows.threads",
    "Timeouts": "_config.options",
    "reset_default_client": "_client.default_client",
    "stop_session": "_client.default_client",
}

# Type checkers would take any name for one of the package's if they saw this.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = _MODULE_OF.get(name, "models")
        value: object = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
