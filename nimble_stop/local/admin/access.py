"""Who may use the admin API: which hosts, which sites, and who knows the token.

The endpoint listens on loopback, where every page of a browser on the same machine can reach it. So
a request must name a host that is ours, which one whose name was rebound to our address does not
(DNS rebinding), and a browser must not say that another site sent it. No answer allows another
origin to read it (there is no CORS). A token, where there is one, comes on top.

A client sends the token as ``Authorization: Bearer``. A browser cannot send that with an
`EventSource`, and an address with a token in it ends up in histories and logs; so it logs in once
and gets a cookie that no script can read and that no other site's request carries.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from typing import TYPE_CHECKING, Final

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.replies import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Access"]

# RFC 9110, 7.2: a name or an address, and perhaps a port.
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@\s]+)(?::\d*)?")
# What a browser says of a request that no other site has caused.
_OWN_SITE: Final = frozenset({"same-origin", "none"})


class Access:
    """The rules of access to the admin API of one endpoint.

    Args:
        port: The port that it listens on.
        token: The admin token; None asks for nothing.
        hosts: Further names that the endpoint is reached by.
    """

    def __init__(self, port: int, token: str | None = None, hosts: Iterable[str] = ()) -> None:
        self._token = token
        # Cookies know no ports: two endpoints on one host must not take each other's away.
        self._cookie_name = f"nimble-stop-{port}"
        self._hosts = frozenset(map(_plain_host, hosts))
        # Of this process alone: a cookie of one before it is worth nothing.
        self._key = secrets.token_bytes(32)

    def check_site(self, headers: Mapping[str, str], hosts: Sequence[str], address: str) -> None:
        """Refuse a request that another site may have caused.

        Args:
            headers: The request's headers.
            hosts: All its ``Host`` headers.
            address: The address of ours that its connection came in by.

        Raises:
            Problem: 403.
        """
        host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if host is None or not self._is_ours(_plain_host(host[1]), address):
            raise Problem(
                403,
                f"The host {', '.join(hosts)!r} is not this endpoint's. Allowed are the names and "
                "addresses of loopback, the address that it listens on, and its admin_hosts.",
            )
        site = headers.get("Sec-Fetch-Site", "none")
        if site not in _OWN_SITE:
            raise Problem(403, f"A browser sent this request for another site ({site}).")
        origin = headers.get("Origin")
        if origin is not None and origin.lower() not in _origins(hosts[0]):
            raise Problem(403, f"The origin {origin!r} is not this endpoint's.")

    def _is_ours(self, host: str, address: str) -> bool:
        if host == "localhost" or host.endswith(".localhost") or host in self._hosts:
            return True
        try:
            given = ipaddress.ip_address(host)
        except ValueError:
            return False
        return given.is_loopback or given == _plain_address(address)

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Refuse a request of somebody who has not proved to know the token.

        Raises:
            Problem: 401.
        """
        if self._token is None:
            return
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if _is_same(given.strip(), self._token):
                return
        elif _is_same(_cookie(headers, self._cookie_name), self._cookie_value()):
            return
        raise _unauthorized("The admin token is missing or wrong")

    def log_in(self, token: str) -> dict[str, str]:
        """Return the headers that give a browser its cookie; none when there is no token to know.

        Raises:
            Problem: 401, the token is wrong.
        """
        if self._token is None:
            return {}
        if not _is_same(token, self._token):
            raise _unauthorized("The admin token is wrong")
        return self._set_cookie(self._cookie_value())

    def log_out(self) -> dict[str, str]:
        """Return the headers that take a browser's cookie away."""
        return self._set_cookie("", "; Max-Age=0")

    def _cookie_value(self) -> str:
        return hmac.digest(self._key, (self._token or "").encode(), "sha256").hex()

    def _set_cookie(self, value: str, end: str = "") -> dict[str, str]:
        cookie = f"{self._cookie_name}={value}; Path={PREFIX}/; HttpOnly; SameSite=Strict{end}"
        return {"Set-Cookie": cookie}


def _plain_host(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _plain_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    plain = ipaddress.ip_address(address.partition("%")[0])
    # What a socket of both families says of a connection over IPv4.
    mapped = plain.ipv4_mapped if isinstance(plain, ipaddress.IPv6Address) else None
    return mapped or plain


def _origins(host: str) -> tuple[str, str]:
    # The second behind a proxy that ends TLS.
    return f"http://{host.lower()}", f"https://{host.lower()}"


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def _cookie(headers: Mapping[str, str], name: str) -> str:
    # Not `http.cookies`, which stops at a cookie of somebody else's that it cannot read.
    for cookie in headers.get("Cookie", "").split(";"):
        given, _, value = cookie.strip().partition("=")
        if given == name:
            return value
    return ""


def _unauthorized(message: str) -> Problem:
    return Problem(
        401,
        f"{message}: send 'Authorization: Bearer TOKEN', or log in with "
        f'POST {PREFIX}/login {{"token": TOKEN}}.',
        headers={"WWW-Authenticate": 'Bearer realm="nimble-stop"'},
    )
