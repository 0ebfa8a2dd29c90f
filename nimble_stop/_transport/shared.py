"""What both transports make of a library's error, and how long they keep a connection."""

from __future__ import annotations

from typing import Any, Final

from nimble_stop import exceptions

# AWS's load balancers close a connection that has been idle for 60 seconds.
MAX_IDLE_SECONDS: Final = 50.0


def closed_error() -> exceptions.ConnectionFailedError:
    return exceptions.ConnectionFailedError("The client is closed; make another.", retryable=False)


def translated(error: Any, where: str, *kinds: tuple[Any, Any]) -> exceptions.TransportError:  # noqa: ANN401 - its arguments may hold another
    """Make the first error of ours that fits; where none does, the answer was lost."""
    fitting = (ours for theirs, ours in kinds if isinstance(error, theirs))
    kind = next(fitting, exceptions.ConnectionLostError)
    while error.args and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    what = "gave no complete answer" if kind.request_sent else "cannot be reached"
    return kind(f"{where} {what}: {str(error) or type(error).__name__}.")
