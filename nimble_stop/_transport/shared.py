"""What both transports share: whom they trust, and how they put a library's error."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final

import certifi

from nimble_stop.exceptions import ConfigurationError, ConnectionFailedError, TransportError

# AWS's load balancers close a connection that has been idle for 60 seconds.
MAX_IDLE_SECONDS: Final = 50.0
Kinds = tuple[tuple[Any, type[TransportError]], ...]


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Make a context that trusts a file or directory of certificates; None for certifi's."""
    trusted = ca_bundle or certifi.where()
    source: dict[str, Any] = {"capath" if Path(trusted).is_dir() else "cafile": trusted}
    try:
        return ssl.create_default_context(**source)
    except OSError as error:
        raise ConfigurationError(f"The CA bundle {trusted!r} cannot be read: {error}.") from None


def closed_error() -> ConnectionFailedError:
    """Make the error of a request to a client that is closed."""
    return ConnectionFailedError("The client is closed; make a new one.", retryable=False)


def translated(
    error: Any,  # noqa: ANN401 - its arguments may hold another
    kinds: Kinds,
    what: str,
) -> TransportError:
    """Make an error of ours: of the first kind that fits, with the innermost reason."""
    kind = next(ours for theirs, ours in kinds if isinstance(error, theirs))
    while error.args and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    return kind(f"{what}: {str(error) or type(error).__name__}.")
