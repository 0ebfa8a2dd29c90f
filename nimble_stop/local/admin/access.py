"""Who may use the admin API: which hosts, which sites, and who knows the token.

Every page of a browser on the same machine can reach loopback. So a request must name a host that
is ours, which one whose name was rebound to our address does not (DNS rebinding), and a browser
must not say that another site sent it. A token, where there is one, comes on top.

A client sends the token as ``Authorization: Bearer``. A browser cannot send that with an
`EventSource`, so it logs in once and gets a cookie that no script can read and that no other site's
request carries.
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

# RFC 9110, 7.2: a name or an address, and perhaps a port.
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@\s]+)(?::\d*)?")
# What a browser says of a request that no other site has caused.
_OWN_SITE: Final = frozenset({"same-origin", "none"})
_COOKIE_ATTRIBUTES: Final = f"Path={PREFIX}/; HttpOnly; SameSite=Strict"


class Access:
    """The rules of access to the admin API of the endpoint on a port.

    Without a token nothing is asked for. The hosts are further names that it is reached by.
    """

    def __init__(self, port: int, token: str | None = None, hosts: Iterable[str] = ()) -> None:
        self._token = token
        self._hosts = frozenset(map(_plain_host, hosts))
        # Cookies know no ports: two endpoints on one host must not take each other's away.
        self._cookie_name = f"nimble-stop-{port}"
        # Of this process alone: a cookie of one before it is worth nothing.
        self._cookie = f"{self._cookie_name}={secrets.token_hex(32)}"

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
        # The second behind a proxy that ends TLS.
        own = (f"http://{hosts[0].lower()}", f"https://{hosts[0].lower()}")
        if origin is not None and origin.lower() not in own:
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
        # Not `http.cookies`, which stops at a cookie of somebody else's that it cannot read.
        cookies = headers.get("Cookie", "").split(";")
        if scheme.lower() == "bearer":
            is_known = _is_same(given.strip(), self._token)
        else:
            is_known = any(_is_same(cookie.strip(), self._cookie) for cookie in cookies)
        if not is_known:
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
        return {"Set-Cookie": f"{self._cookie}; {_COOKIE_ATTRIBUTES}"}

    def log_out(self) -> dict[str, str]:
        """Return the headers that take a browser's cookie away."""
        return {"Set-Cookie": f"{self._cookie_name}=; {_COOKIE_ATTRIBUTES}; Max-Age=0"}


def _plain_host(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _plain_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    plain = ipaddress.ip_address(address.partition("%")[0])
    # What a socket of both families says of a connection over IPv4.
    mapped = plain.ipv4_mapped if isinstance(plain, ipaddress.IPv6Address) else None
    return mapped or plain


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def _unauthorized(message: str) -> Problem:
    return Problem(
        401,
        f"{message}: send 'Authorization: Bearer TOKEN', or log in with "
        f'POST {PREFIX}/login {{"token": TOKEN}}.',
        headers={"WWW-Authenticate": 'Bearer realm="nimble-stop"'},
    )
