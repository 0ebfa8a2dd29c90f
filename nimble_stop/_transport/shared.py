"""What both transports make of a library's error, and how long they keep a connection."""

from __future__ import annotations

from typing import Any, Final

from nimble_stop import exceptions

# AWS's load balancers close a connection that has been idle for 60 seconds.
MAX_IDLE_SECONDS: Final = 50.0
_SENT: Final = (
    (TimeoutError, exceptions.ReadTimeoutError),
    (Exception, exceptions.ConnectionLostError),
)


def closed_error() -> exceptions.ConnectionFailedError:
    """Make the error of a request to a client that is closed."""
    message = "The client is closed; make a new one."
    return exceptions.ConnectionFailedError(message, retryable=False)


def translated(error: Any, what: str, *kinds: tuple[Any, Any]) -> exceptions.TransportError:  # noqa: ANN401 - its arguments may hold another
    """Make the first error of ours that fits; where none does, the request was sent."""
    kind = next(ours for theirs, ours in (*kinds, *_SENT) if isinstance(error, theirs))
    while error.args and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    made: exceptions.TransportError = kind(f"{what}: {str(error) or type(error).__name__}.")
    return made
