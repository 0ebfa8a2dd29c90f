"""Which certificates both transports trust."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi

from nimble_stop.exceptions import ConfigurationError


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
