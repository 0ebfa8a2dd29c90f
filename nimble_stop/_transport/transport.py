"""The sync transport: requests go over connections of our own.

They bound every wait, cap every answer and never reuse a connection with anything unread on it.

Where the process uses requests, each request passes through requests' ``HTTPAdapter.send``, so
what intercepts that method, as `responses` does, works as with any other use of requests. A
process that does not is not made to import it: nobody in it can have intercepted anything.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING

from nimble_stop._transport.connection import ConnectionPool
from nimble_stop._transport.messages import RequestWriter, read_answer
from nimble_stop._transport.proxy import proxy_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop._api.response import Response
    from nimble_stop._call.steps import Send
    from nimble_stop._config.config import Config
    from nimble_stop._transport.http_adapter import Adapter


class Carrier:
    """Carries requests to one endpoint, straight or by way of an HTTP proxy."""

    def __init__(self, config: Config) -> None:
        proxy = proxy_for(config.endpoint)
        self._writer = RequestWriter(config.endpoint, proxy)
        self._connections = ConnectionPool(config, proxy)

    def carry(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect: float,
        read: float,
        total: float,
    ) -> Response:
        """Send a request and read its answer, within so many seconds.

        Raises:
            TransportError: There is no complete answer; the subclass says why.
        """
        message = self._writer.write(method, target, headers, body)
        answer = self._connections.exchange(message, connect=connect, read=read, total=total)
        return read_answer(answer)

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()


class Transport:
    """Sends requests to one endpoint. Threads may share it."""

    def __init__(self, config: Config) -> None:
        self._carrier = Carrier(config)
        self._adapter: Adapter | None = None
        # A client that nobody closed closes its connections all the same, at the latest at exit.
        weakref.finalize(self, self._carrier.close)

    def exchange(self, send: Send) -> Response:
        """Send a request and read its answer.

        Raises:
            TransportError: There is no complete answer; the subclass says why.
        """
        if "requests" in sys.modules:
            return self._requests_adapter().exchange(send)
        wire = send.request
        return self._carrier.carry(
            wire.method,
            wire.target,
            wire.headers,
            wire.body,
            connect=send.connect,
            read=send.read,
            total=send.total,
        )

    def close(self) -> None:
        """Close the connections."""
        self._carrier.close()

    def _requests_adapter(self) -> Adapter:
        # Threads may make two; a lock could be held for ever in the child of a fork.
        if self._adapter is None:
            from nimble_stop._transport.http_adapter import Adapter

            self._adapter = Adapter(self._carrier)
        return self._adapter
