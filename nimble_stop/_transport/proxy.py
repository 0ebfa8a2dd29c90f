"""Which proxy stands between the client and its endpoint, if any.

requests reads the environment and the system's settings for us, ``NO_PROXY`` included.
"""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import attrs

from nimble_stop._transport.http import render_request
from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from nimble_stop._config.endpoint_url import Endpoint

_VARIABLES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy"})
# Elsewhere the system itself may name a proxy.
_BY_ENVIRONMENT_ALONE: Final = sys.platform not in {"darwin", "win32"}


@attrs.frozen
class Proxy:
    """An HTTP proxy.

    Args:
        host: Its host name or address.
        port: Its port.
        authorization: The Proxy-Authorization header's value, or None.
    """

    host: str
    port: int
    authorization: str | None = attrs.field(default=None, repr=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The proxy's URL, without what authorizes."""
        return f"http://{self}"

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy itself is sent."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}

    def connect_request(self, endpoint: Endpoint) -> bytes:
        """Ask the proxy for a tunnel to the endpoint."""
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        authority = f"{host}:{endpoint.port}"
        headers = {"Host": authority, **self.headers}
        return render_request("CONNECT", authority, headers.items(), b"")


def proxy_for(endpoint: Endpoint) -> Proxy | None:
    """Choose the proxy as the environment says.

    Raises:
        ConfigurationError: It is no HTTP proxy.
    """
    if _BY_ENVIRONMENT_ALONE and _VARIABLES.isdisjoint(map(str.lower, os.environ)):
        # As a rule there is none; that is known without importing requests.
        return None
    from requests.utils import get_environ_proxies, select_proxy

    url = select_proxy(endpoint.url, get_environ_proxies(endpoint.url, no_proxy=None))
    if not url:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    # The URL may hold a password, so the message goes without it.
    if parts.scheme != "http" or not host:
        raise ConfigurationError(
            f"The proxy that the environment names for {endpoint.url} is no HTTP proxy URL; "
            "it looks like 'http://proxy.example:3128'. See HTTP_PROXY, HTTPS_PROXY, NO_PROXY."
        )
    authorization = None
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # What is no UTF-8 goes as it stands in the environment.
        octets = user.encode(errors="surrogateescape")
        authorization = f"Basic {b64encode(octets).decode('ascii')}"
    return Proxy(host, port or 80, authorization)
