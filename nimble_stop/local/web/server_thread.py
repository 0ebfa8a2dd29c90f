"""The socket and the thread that serve, and aiohttp's part in it.

The port is taken before the thread starts, so that its number is known before anything is answered.
No router and no application: what a target means is read in `nimble_stop.local.api.routes`, from
the bytes that were sent.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.api.refusals import Refusal
from nimble_stop.local.web.delivery import deliver
from nimble_stop.local.web.handler import Connection, read_request_body

if TYPE_CHECKING:
    from nimble_stop.local.service import Service

__all__ = ["ServerThread", "listen", "url_of"]

_logger: Final = logging.getLogger("nimble_stop.local")
_BACKLOG: Final = 512
_ACCEPT_PAUSE_SECONDS: Final = 0.1
_MAX_PORT: Final = 65_535
# Of each address that means "all": the one at which this machine reaches itself.
_LOOPBACKS: Final = MappingProxyType({"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"})  # noqa: S104  # none is listened on here
# A request that is being answered gets this long to end; twice, by aiohttp's counting.
_SHUTDOWN_SECONDS: Final = 0.5


def listen(host: str, port: int) -> socket.socket:
    """Take a port and let connections queue up."""
    if not 0 <= port <= _MAX_PORT:
        raise ConfigurationError(f"The port must be from 0 to {_MAX_PORT}, not {port}.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
            # As asyncio wants it.
            listener.settimeout(0)
        except BaseException:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"The endpoint cannot listen on {host!r}, port {port}: {error}."
        ) from error
    return listener


def url_of(host: str, port: int) -> str:
    """Write the URL at which this machine reaches what listens on a host and a port."""
    address = _LOOPBACKS.get(host, host)
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


class ServerThread:
    """The thread that serves, and its event loop.

    Args:
        service: What answers.
        listener: The socket that connections come in by; it stays open afterwards.
    """

    def __init__(self, service: Service, listener: socket.socket) -> None:
        self._service = service
        self._listener = listener
        # The loop that has `add_reader` on every system.
        self._loop = asyncio.SelectorEventLoop()
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="nimble-stop-local", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Close all connections, and wait until that is done."""
        self._loop.call_soon_threadsafe(self._begin_to_stop)
        self._thread.join()

    def _begin_to_stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        manager = web.Server(self._respond, loop=self._loop)
        await self._accept_until_stopped(manager)
        transports = [connection.transport for connection in manager.connections]
        manager.pre_shutdown()
        await manager.shutdown(_SHUTDOWN_SECONDS)
        for transport in transports:
            if transport is not None:
                # Also where a client never reads what is still to be sent.
                transport.abort()
        # The loop closes the sockets in its next round.
        await asyncio.sleep(0)

    async def _accept_until_stopped(self, manager: web.Server) -> None:
        """Take connections in.

        Not `asyncio.loop.create_server`: closing its server trips over a connection that has just
        been accepted (Python 3.13.0), and tells nobody about it. Nor `asyncio.loop.sock_accept`:
        cancelled at such a moment, it loses the connection (Python 3.11).
        """
        while not self._stop.is_set():
            await self._wait_for_connection()
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                # It has gone again, or it is time to stop.
                continue
            except OSError as error:
                # Too many open files, mostly: those that are open have to end first.
                _logger.warning("a connection was not accepted: %s", error)
                await asyncio.sleep(_ACCEPT_PAUSE_SECONDS)
                continue
            connection.setblocking(False)  # noqa: FBT003  # the standard library's own signature
            await self._loop.connect_accepted_socket(
                lambda: Connection(manager, self._loop), connection
            )

    async def _wait_for_connection(self) -> None:
        """Wait until one comes, or until it is time to stop."""
        self._loop.add_reader(self._listener, self._wake.set)
        await self._wake.wait()
        self._loop.remove_reader(self._listener)
        self._wake.clear()

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = cast("Connection", request.protocol)
        connection.request_begins()
        exchange = self._service.open(
            request.method,
            request.raw_path.encode("utf-8", "surrogateescape"),
            request.raw_headers,
        )
        try:
            exchange.body = await read_request_body(request)
        except Refusal as refusal:
            exchange.refusal = refusal
        latency = self._service.latency(exchange)
        if latency:
            await asyncio.sleep(latency)
        response = await deliver(request, self._service.answer(exchange))
        # Where it is False the rest of a request is still to come, and then the end.
        if response.keep_alive is not False:
            connection.request_ends()
        return response
