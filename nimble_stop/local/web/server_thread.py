"""The socket and the thread that serve, on aiohttp's low-level server.

The port is taken before the thread starts, so that its number is known before anything is answered.
There is no router and no application: what a target means is decided from the bytes that were sent.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
import uuid
from contextlib import suppress
from email.utils import formatdate
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.api.answer import SERVER, Refusal, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop.local.web.handler import Handler

LINE_BYTES: Final = 64 * 1024
"""How long a request's target may be: two ids of 1,500 characters, each encoded in 12 bytes."""

FIELD_BYTES: Final = 16 * 1024
"""How long one header may be, in bytes; session tokens are the longest."""

HEADERS: Final = 128
"""How many headers a request may have. With `FIELD_BYTES` it bounds the head as a whole."""

IDLE_SECONDS: Final = 12.0
"""How long a connection may wait for a whole request head, from its start or the last answer."""

_BACKLOG: Final = 512
_MAX_PORT: Final = 65_535
# Of each address that means "all": the one at which this machine reaches itself.
_LOOPBACKS: Final = MappingProxyType({"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"})  # noqa: S104  # none is listened on here
# A request that is being answered gets this long to end; twice, by aiohttp's counting.
_SHUTDOWN_SECONDS: Final = 0.5
# The event loop takes so many rounds, at most, from accepting a connection to handing it over.
_ACCEPT_ROUNDS: Final = 4
# aiohttp logs every malformed request with a traceback. Its sender has been answered, so these
# records are for those who add a handler.
_http_logger: Final = logging.getLogger("nimble_stop.local.http")
_http_logger.addHandler(logging.NullHandler())
_http_logger.propagate = False


def listen(host: str, port: int) -> socket.socket:
    """Take a port and let connections queue up.

    Raises:
        ConfigurationError: The address cannot be listened on.
    """
    if not 0 <= port <= _MAX_PORT:
        raise ConfigurationError(f"The port must be from 0 to {_MAX_PORT}, not {port}.")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        dual = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        return socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=dual)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"The endpoint cannot listen on {host!r}, port {port}: {error}."
        ) from error


def url_of(host: str, port: int) -> str:
    """Write the URL at which this machine reaches what listens on a host and a port."""
    address = _LOOPBACKS.get(host, host)
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


class ServerThread:
    """The thread that serves, and its event loop; it runs from the start.

    When it ends it closes the listener, and calls `on_end` after everything else.
    """

    def __init__(
        self, handler: Handler, listener: socket.socket, *, on_end: Callable[[], None]
    ) -> None:
        self._handler = handler
        self._listener = listener
        self._on_end = on_end
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="nimble-stop-local", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and all connections; wait for it, unless called in the thread itself."""
        # The loop is closed when the thread has ended already.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        finally:
            self._on_end()

    async def _serve(self) -> None:
        server = _make_server(self._handler)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        await web.SockSite(runner, self._listener, backlog=_BACKLOG).start()
        await self._stop.wait()
        # A connection that is being accepted while asyncio closes its server is lost unclosed. So
        # nothing more is accepted, and what has been gets its handler first. The event loop of
        # Windows has no readers.
        if sys.platform != "win32":
            self._loop.remove_reader(self._listener)
        for _ in range(_ACCEPT_ROUNDS):
            await asyncio.sleep(0)
        transports = [connection.transport for connection in server.connections]
        await runner.cleanup()
        for transport in transports:
            if transport is not None:
                # Also where a client never reads what is still to be sent.
                transport.abort()
        # The loop closes the sockets in its next round.
        await asyncio.sleep(0)


def _make_server(handler: Handler) -> web.Server:
    server = web.Server(
        handler,
        access_log=None,
        # A signature covers the bytes that were sent, so they must stay as they are.
        auto_decompress=False,
        keepalive_timeout=IDLE_SECONDS,
        lingering_time=2.0,
        logger=_http_logger,
        max_field_size=FIELD_BYTES,
        max_headers=HEADERS,
        max_line_size=LINE_BYTES,
    )
    make_request = server.request_factory

    def make_and_check(message: Any, *rest: Any) -> web.BaseRequest:  # noqa: ANN401  # aiohttp's own, passed through
        request: web.BaseRequest = make_request(message, *rest)
        # aiohttp's stand-in for a request that it could not parse, and would answer with a text.
        if message.method == "UNKNOWN" and not message.raw_headers:
            _answer_malformed(request)
        return request

    server.request_factory = make_and_check
    return server


def _answer_malformed(request: web.BaseRequest) -> None:
    """Answer what is not HTTP as AWS would, and close the connection."""
    headers = {
        "Connection": "close",
        "Date": formatdate(usegmt=True),
        "Server": SERVER,
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    code, message = "MalformedHttpRequestException", "The request is not well-formed HTTP."
    answer = refused(Refusal(code, message, headers=headers))
    if request.transport is not None:
        lines = [f"HTTP/1.1 {answer.status} Bad Request", *map(": ".join, answer.headers.items())]
        head = "\r\n".join([*lines, f"Content-Length: {len(answer.body)}", "", ""])
        request.transport.write(head.encode() + answer.body)
        request.transport.close()
