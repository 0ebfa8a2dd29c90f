"""A raw socket server that plays a script on each connection, and keeps what it received.

It speaks no HTTP of its own: a script sends whatever bytes it likes, cuts them, trickles them,
resets the connection or says nothing at all.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

DATA = Path(__file__).parent.parent / "data"
SESSION = {"sessionId": "session-1", "state": "STOP_IN_PROGRESS"}
# Nothing on loopback takes this long; it ends a test that hangs.
HANG_GUARD = 20.0


def answer(
    body: bytes | Mapping[str, object] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    length: int | None = None,
) -> bytes:
    """Write a whole answer.

    Args:
        body: The body; an object is written as JSON, None stands for a session.
        status: The status.
        headers: Headers besides Content-Length.
        length: What Content-Length says, when it is not the body's length.
    """
    if body is None:
        body = {"session": SESSION}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Length": str(len(content) if length is None else length), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + content


def error_answer(status: int, code: str, **headers: str) -> bytes:
    """Write an error answer whose type stands in the header; underscores become hyphens."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer({"message": "no"}, status=status, headers={"x-amzn-errortype": code, **lines})


@attrs.frozen
class Received:
    """A request as it came in.

    Args:
        connection: Which connection brought it, from 0.
        line: The request line.
        headers: The headers; the names in lower case.
        body: The body's bytes.
        raw: All bytes of its head.
    """

    connection: int
    line: str
    headers: Mapping[str, str]
    body: bytes
    raw: bytes

    @property
    def target(self) -> str:
        """What stands in the request line."""
        return self.line.split(" ")[1]


class Peer:
    """One connection, in the hands of a script."""

    def __init__(self, server: ScriptedServer, connection: socket.socket, number: int) -> None:
        self.number = number
        self._server = server
        self._connection = connection
        self._buffer = b""

    def read_request(self) -> Received:
        """Read one request, and keep it."""
        while b"\r\n\r\n" not in self._buffer:
            self.receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (text.partition(":") for text in fields)
        }
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            self.receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        received = Received(self.number, line, headers, body, head)
        self._server.requests.append(received)
        return received

    def read(self, count: int) -> bytes:
        """Read so many bytes."""
        while len(self._buffer) < count:
            self.receive()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._connection.sendall(data)

    def trickle(self, data: bytes, pause: float = 0.02) -> None:
        """Send bytes one by one."""
        for byte in data:
            self.send(bytes([byte]))
            time.sleep(pause)

    def flood(self, data: bytes) -> None:
        """Send the same bytes again and again, until the other side goes away."""
        while True:
            self.send(data)

    def reset(self) -> None:
        """Reset the connection."""
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def wait_until_closed(self) -> None:
        """Say nothing until the other side closes."""
        with suppress(OSError):
            while self._connection.recv(65536):
                pass

    def relay(self, port: int) -> None:
        """Pass bytes on between the client and a server, until one of them closes."""
        with socket.create_connection(("127.0.0.1", port)) as server:

            def answer_client() -> None:
                with suppress(OSError):
                    while data := server.recv(65536):
                        self.send(data)

            thread = threading.Thread(target=answer_client, daemon=True)
            thread.start()
            try:
                while True:
                    self.receive()
                    server.sendall(self.read(len(self._buffer)))
            finally:
                server.shutdown(socket.SHUT_RDWR)
                thread.join(HANG_GUARD)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on in TLS."""
        self._connection = context.wrap_socket(self._connection, server_side=True)
        self._server.adopt(self._connection)

    def receive(self) -> None:
        """Wait for more bytes."""
        data = self._connection.recv(65536)
        if not data:
            raise ConnectionResetError("the client closed the connection")
        self._buffer += data


def answering(*answers: bytes) -> Callable[[Peer], None]:
    """Write a script that answers one request after the other, then waits for the end."""

    def script(peer: Peer) -> None:
        for each in answers:
            peer.read_request()
            peer.send(each)
        peer.wait_until_closed()

    return script


def always(data: bytes) -> Callable[[Peer], None]:
    """Write a script that answers every request alike."""

    def script(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(data)

    return script


def hang_up(data: bytes) -> Callable[[Peer], None]:
    """Write a script that answers one request with some bytes, and closes."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)

    return script


def reset(peer: Peer) -> None:
    """Reset the connection after the request."""
    peer.read_request()
    peer.reset()


class Counter:
    """Answers stops when a test lets it, and counts how many are there at the same time."""

    def __init__(self, at_least: int = 1) -> None:
        self.most = self.now = 0
        self._at_least = at_least
        self._changed = threading.Condition()

    def __call__(self, peer: Peer) -> None:
        """Play on a connection."""
        while True:
            peer.read_request()
            with self._changed:
                self.now += 1
                self.most = max(self.most, self.now)
                self._changed.notify_all()
                # All that may be in flight are to be there at the same time, once.
                self._changed.wait_for(lambda: self.most >= self._at_least, HANG_GUARD)
                self.now -= 1
            peer.send(answer())


def server_tls(name: str = "server") -> ssl.SSLContext:
    """Give a TLS context with one of the certificates in ``tests/data``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / f"{name}.crt", DATA / f"{name}.key")
    return context


class ScriptedServer:
    """Listens on loopback and plays one script a connection; the last one again and again.

    Attributes:
        requests: What came in, over all connections.
        connections: How many connections were accepted.
    """

    def __init__(self, *scripts: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self._scripts = scripts or (Peer.wait_until_closed,)
        self._tls = tls
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[Exception] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        """The request targets that came in."""
        return [request.target for request in self.requests]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(HANG_GUARD)
        for connection in self._open:
            connection.close()
        if self._failures and error is None:
            raise self._failures[0]

    def adopt(self, connection: socket.socket) -> None:
        """Close a connection at the end that took the place of another."""
        self._open.append(connection)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = self.connections
            self.connections += 1
            self._open.append(connection)
            self._start(partial(self._play, connection, number))

    def _play(self, connection: socket.socket, number: int) -> None:
        script = self._scripts[min(number, len(self._scripts) - 1)]
        peer = Peer(self, connection, number)
        try:
            if self._tls:
                peer.start_tls(self._tls)
            script(peer)
        except OSError:
            pass  # The client went away, or the server is being closed.
        except Exception as failure:  # noqa: BLE001 - it is raised where the test sees it
            self._failures.append(failure)
        finally:
            peer.close()
