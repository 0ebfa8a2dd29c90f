"""What the machine says about the way to an endpoint: its proxy, and whom TLS trusts.

requests reads the proxy from the environment and the system's settings, ``NO_PROXY`` included.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import attrs
import certifi
from requests.utils import get_environ_proxies, select_proxy

from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from nimble_stop._config.config import Config
    from nimble_stop._config.endpoint_url import Endpoint

_SOCKS: Final = ("socks4", "socks4a", "socks5", "socks5h")
_PORTS: Final = {"http": 80, "https": 443, **dict.fromkeys(_SOCKS, 1080)}


@attrs.frozen
class Proxy:
    """A proxy. Its repr shows neither user nor password.

    Args:
        url: Its URL, without user and password.
        full_url: Its URL as the environment gives it.
        headers: What an HTTP proxy itself is sent.
    """

    url: str
    full_url: str = attrs.field(repr=False)
    headers: dict[str, str] = attrs.field(repr=False)

    @property
    def is_socks(self) -> bool:
        return self.url.startswith("socks")

    @property
    def is_tls(self) -> bool:
        return self.url.startswith("https")


def proxy_for(endpoint: Endpoint) -> Proxy | None:
    """Choose the proxy that the environment or the system names.

    Raises:
        ConfigurationError: Its URL is malformed, or names a protocol that is not available.
    """
    url = select_proxy(endpoint.url, get_environ_proxies(endpoint.url, no_proxy=None))
    if not url:
        return None
    # The URL may hold a password, so the messages go without it.
    named = f"The proxy that the environment names for {endpoint.url}"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        default_port = _PORTS[parts.scheme]
        host, port = parts.hostname, parts.port or default_port
    except (ValueError, KeyError):
        parts, host, port = urlsplit(""), None, 0
    if not host:
        raise ConfigurationError(
            f"{named} is no proxy URL; it looks like 'http://proxy.example:3128' or "
            "'socks5h://proxy.example:1080'. See HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."
        )
    if parts.scheme in _SOCKS and find_spec("socks") is None:
        raise ConfigurationError(f"{named} speaks SOCKS; install requests[socks] to use it.")
    headers: dict[str, str] = {}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # What is no UTF-8 goes as it stands in the environment.
        encoded = b64encode(user.encode(errors="surrogateescape")).decode("ascii")
        headers["Proxy-Authorization"] = f"Basic {encoded}"
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Proxy(f"{parts.scheme}://{authority}", parts.geturl(), headers)


def tls_context(config: Config, proxy: Proxy | None) -> ssl.SSLContext | None:
    """Make the context that checks certificates and host names; None where nothing is TLS.

    It reads files, for which no event loop has time.

    Raises:
        ConfigurationError: The certificates cannot be read.
    """
    if config.endpoint.scheme != "https" and not (proxy and proxy.is_tls):
        return None
    trusted = config.ca_bundle or certifi.where()
    source: dict[str, Any] = {"capath" if Path(trusted).is_dir() else "cafile": trusted}
    try:
        return ssl.create_default_context(**source)
    except OSError as error:
        raise ConfigurationError(f"The CA bundle {trusted!r} cannot be read: {error}.") from None
