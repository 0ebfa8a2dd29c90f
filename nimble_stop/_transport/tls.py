"""TLS: whom both transports trust, and the sync one's handshake."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from nimble_stop.exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    ConnectTimeoutError,
    TLSError,
)

if TYPE_CHECKING:
    import socket

    from nimble_stop._config.endpoint_url import Endpoint
    from nimble_stop._transport.time_limit import TimeLimit


class TLS:
    """Wraps connections to one endpoint."""

    def __init__(self, endpoint: Endpoint, ca_bundle: str | None) -> None:
        self._endpoint = endpoint
        self._context = make_tls_context(ca_bundle)

    def wrap(self, connection: socket.socket, limit: TimeLimit) -> socket.socket:
        """Shake hands over a connection.

        Raises:
            TransportError: The handshake failed; the subclass says why.
        """
        try:
            connection.settimeout(limit.remaining)
            # After a reset this fails, and wrap_socket would too, but lose the socket unclosed.
            connection.getpeername()
            return self._context.wrap_socket(connection, server_hostname=self._endpoint.host)
        except TimeoutError:
            raise ConnectTimeoutError(
                f"{self._endpoint.url} did not finish the TLS handshake in time."
            ) from None
        except ssl.SSLError as error:
            raise TLSError(
                f"The TLS handshake with {self._endpoint.url} failed: {error}."
            ) from None
        except OSError as error:
            raise ConnectionFailedError(
                f"{self._endpoint.url} broke off the TLS handshake: {error}."
            ) from None


def make_tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Make the context that checks the server's certificate and host name.

    Args:
        ca_bundle: A file or directory of certificates to trust; None for certifi's.

    Raises:
        ConfigurationError: The certificates cannot be read.
    """
    trusted = ca_bundle or certifi.where()
    is_directory = Path(trusted).is_dir()
    try:
        return ssl.create_default_context(
            cafile=None if is_directory else trusted, capath=trusted if is_directory else None
        )
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(f"The CA bundle {trusted!r} cannot be read: {error}.") from None
