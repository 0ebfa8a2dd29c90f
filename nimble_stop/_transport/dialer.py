"""How a connection to an endpoint is opened: name lookup, TCP, a proxy's tunnel, TLS.

All of it together is bounded by one limit.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

from nimble_stop._transport.http import AnswerError, ResponseReader
from nimble_stop.exceptions import ConnectionFailedError, ConnectTimeoutError, ProxyError

if TYPE_CHECKING:
    from nimble_stop._config.endpoint_url import Endpoint
    from nimble_stop._transport.proxy import Proxy
    from nimble_stop._transport.time_limit import TimeLimit
    from nimble_stop._transport.tls import TLS

_Address = tuple[Any, Any, int, str, Any]

_RECEIVE_BYTES: Final = 4 * 1024
_CONNECTED: Final = 200


class Dialer:
    """Opens connections to one endpoint, or through the proxy in front of it."""

    def __init__(self, endpoint: Endpoint, proxy: Proxy | None, ca_bundle: str | None) -> None:
        self._endpoint = endpoint
        self._proxy = proxy
        self._ca_bundle = ca_bundle
        self._tls: TLS | None = None

    def connect(self, limit: TimeLimit) -> socket.socket:
        """Open a connection, ready for a request.

        Raises:
            TransportError: There is none; the subclass says why.
        """
        endpoint, proxy = self._endpoint, self._proxy
        host, port = (proxy.host, proxy.port) if proxy else (endpoint.host, endpoint.port)
        try:
            connection = _open_tcp(host, port, limit)
        except TimeoutError as error:
            raise ConnectTimeoutError(f"{host}:{port} was not reached in time: {error}.") from None
        except OSError as error:
            raise ConnectionFailedError(f"{host}:{port} cannot be reached: {error}.") from None
        try:
            if endpoint.scheme == "https":
                if proxy:
                    _open_tunnel(connection, endpoint, proxy, limit)
                return self._shake_hands(connection, limit)
        except BaseException:
            connection.close()
            raise
        return connection

    def _shake_hands(self, connection: socket.socket, limit: TimeLimit) -> socket.socket:
        # Threads may make two; a lock could be held for ever in the child of a fork.
        if self._tls is None:
            # Imported when it is needed: an endpoint in the studio often speaks plain HTTP.
            from nimble_stop._transport.tls import TLS

            self._tls = TLS(self._endpoint, self._ca_bundle)
        return self._tls.wrap(connection, limit)


def _open_tcp(host: str, port: int, limit: TimeLimit) -> socket.socket:
    addresses = _look_up(host, port, limit)
    failure: OSError = OSError("the name has no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        connection = socket.socket(family, kind, protocol)
        try:
            # An address that does not answer leaves time for those behind it.
            connection.settimeout(limit.remaining / (len(addresses) - index))
            connection.connect(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure


def _look_up(host: str, port: int, limit: TimeLimit) -> list[_Address]:
    """Look a name up, within the limit: the resolver itself knows no time-out."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        # As bytes: a str would be taken for a name, and pass through IDNA.
        return socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
    outcome: list[list[_Address] | OSError] = []

    def look_up() -> None:
        try:
            outcome.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            # A name that DNS cannot hold is a UnicodeError.
            outcome.append(OSError(str(error)))

    thread = threading.Thread(target=look_up, name=f"look up {host}", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # The system has no thread to give, or the interpreter is ending.
        look_up()
    else:
        thread.join(limit.remaining)
    if not outcome:
        raise TimeoutError("the name was not resolved")
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _open_tunnel(
    connection: socket.socket, endpoint: Endpoint, proxy: Proxy, limit: TimeLimit
) -> None:
    """Have the proxy connect us to the endpoint (RFC 9110, section 9.3.6)."""
    reader = ResponseReader(answers_connect=True)
    try:
        connection.settimeout(limit.remaining)
        connection.sendall(memoryview(proxy.connect_request(endpoint)))
        # A refusal's own words are of no interest, and may never end.
        while not reader.status:
            connection.settimeout(limit.remaining)
            reader.feed(connection.recv(_RECEIVE_BYTES))
    except TimeoutError:
        raise ConnectTimeoutError(f"The proxy {proxy} did not answer in time.") from None
    except (AnswerError, OSError) as error:
        raise ProxyError(f"The answer of the proxy {proxy} cannot be read: {error}.") from None
    if reader.status != _CONNECTED:
        raise ProxyError(f"The proxy {proxy} refused with HTTP {reader.status}.")
