"""The sync transport: requests' ``HTTPAdapter.send``, called directly, over urllib3's pools.

No requests Session is involved, so there are no redirects, no cookies and no netrc. Whoever
watches ``HTTPAdapter.send`` or urllib3 sees each attempt as an ordinary request.

urllib3 gives each address of a host the whole time to connect, and each receive the whole time to
read; here it is one limit each. What fails before there is a connection is raised as an error of
ours, through urllib3 and requests; whatever else fails was sent.
"""

from __future__ import annotations

import io
import os
import queue
import socket
import ssl
from concurrent.futures import Future
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, ReadTimeoutError
from urllib3.util import Timeout
from urllib3.util.connection import create_connection

from nimble_stop import exceptions
from nimble_stop._api.response import MAX_BODY_BYTES, Response, read_answer
from nimble_stop._config.proxy import proxy_for
from nimble_stop._transport.shared import (
    MAX_IDLE_SECONDS,
    Kinds,
    closed_error,
    tls_context,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from urllib3.connectionpool import HTTPConnectionPool

    from nimble_stop._auth.signer import WireRequest
    from nimble_stop._call.steps import Send
    from nimble_stop._config.config import Config

# A socket's time-out overflows at 24 days, and 0 means "do not wait".
_LONGEST: Final = 1_000_000.0
_SHORTEST: Final = 1e-6
_UNREACHED: Final[Kinds] = (
    ((TimeoutError, ConnectTimeoutError), exceptions.ConnectTimeoutError),
    (ssl.SSLError, exceptions.TLSError),
    (Exception, exceptions.ConnectionFailedError),
)
_SENT: Final[Kinds] = (
    ((requests.Timeout, ReadTimeoutError, TimeoutError), exceptions.ReadTimeoutError),
    (Exception, exceptions.ConnectionLostError),
)
_INTERCEPTED: Final[Kinds] = (
    (requests.exceptions.SSLError, exceptions.TLSError),
    (requests.exceptions.ProxyError, exceptions.ProxyError),
    (requests.exceptions.ConnectTimeout, exceptions.ConnectTimeoutError),
    *_SENT,
)


class _Limit(Timeout):
    """A time-out that has started. urllib3 would start it behind a proxy's tunnel, on a copy."""

    def __init__(self, **seconds: float) -> None:
        super().__init__(**seconds)
        super().start_connect()

    def clone(self) -> _Limit:
        return self

    def start_connect(self) -> float:
        return monotonic()


class _Socket(socket.socket):
    """A socket with one time limit for an answer, which ends with the connection only if it may."""

    end, may_end = 0.0, False

    def recv_into(self, buffer: Any, *_: object) -> int:  # noqa: ANN401 - as overridden
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def recv(self, *args: Any) -> bytes:  # noqa: ANN401 - likewise
        if monotonic() >= self.end:
            raise TimeoutError("timed out")
        data = super().recv(*args)
        # TLS behind a proxy's tunnel has what is left, too.
        self.settimeout(max(self.end - monotonic(), _SHORTEST))
        if not (data or self.may_end):
            raise ConnectionResetError("the connection was closed in the middle of the answer")
        return data


class _TLSSocket(_Socket, ssl.SSLSocket):
    def getpeername(self) -> Any:  # noqa: ANN401 - as overridden
        try:
            return super().getpeername()
        except OSError:
            # wrap_socket would lose it open.
            self.close()
            raise ConnectionResetError("the connection was reset before the handshake") from None


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as overridden
        super().__init__(sock, *args, **kwargs)
        # TLS within TLS is no socket, and holds one.
        self._sock = cast("_Socket", getattr(sock, "socket", sock))
        self._sock.end = monotonic() + cast("float", sock.gettimeout())
        self._sock.may_end = False

    def begin(self) -> None:
        super().begin()
        while self.status < 200 and self.status != 101:  # noqa: PLR2004 - HTTP's own numbers
            self.headers = cast("Any", None)
            super().begin()
        if self.chunked and "content-length" in self.headers:
            raise HTTPException("its framing is ambiguous")
        if self.length is None and not self.chunked:
            # It ends with the connection, but not before it has begun.
            self.fp.peek(1)
            self._sock.may_end = True


class _Connection(HTTPConnection):
    response_class = _Answer
    _is_open = _is_socks = False

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPException, HTTPError, ValueError) as error:
            kinds: Kinds = _UNREACHED
            # TLS leaves an empty socket behind where it takes one over.
            if self.proxy and self._is_open and not (self.sock and self.sock.fileno() < 0):
                kinds = (*_UNREACHED[:-1], (Exception, exceptions.ProxyError))
            self.close()
            raise translated(error, kinds, f"{self.host}:{self.port} cannot be reached") from None

    def _new_conn(self) -> socket.socket:
        seconds = cast("float", self.timeout)
        end = monotonic() + seconds
        opened = _within(seconds, super()._new_conn if self._is_socks else lambda: self._open(end))
        sock = _Socket(fileno=opened.detach())
        sock.settimeout(max(end - monotonic(), _SHORTEST))
        self._is_open = True
        return sock

    def _open(self, end: float) -> socket.socket:
        failure = OSError("the name has no address")
        # As bytes: a str would pass through IDNA.
        found = socket.getaddrinfo(self.host.encode(), self.port, type=socket.SOCK_STREAM)
        for index, (*_, address) in enumerate(found):
            # An address that does not answer leaves time for those behind it.
            share = max((end - monotonic()) / (len(found) - index), _SHORTEST)
            # A request is two writes, head and body: Nagle's algorithm would delay the second.
            options: list[Any] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
            try:
                return create_connection(cast("Any", address[:2]), share, None, options)
            except OSError as error:
                failure = error
        raise failure


def _within(seconds: float, work: Callable[[], socket.socket]) -> socket.socket:
    """Open in a thread what knows no time limit for all of it; what comes too late is closed."""
    outcome: Future[socket.socket] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome.set_exception(error)

    try:
        Thread(target=run, daemon=True).start()
    except RuntimeError:
        # The system has no thread to give, or the interpreter is ending.
        run()
    try:
        return outcome.result(seconds)
    except BaseException:
        outcome.add_done_callback(_close)
        raise


def _close(late: Future[socket.socket]) -> None:
    if not late.exception():
        late.result().close()


class _IdleConnections(queue.LifoQueue[Any]):
    """Closes a connection that is too many or too old, without a lock that a fork could copy."""

    def put(self, item: HTTPConnection | None, *_: object, **__: object) -> None:
        if item is not None and len(self.queue) < self.maxsize:
            self.queue.append((monotonic(), item))
        elif item is not None:
            item.close()

    def get(self, *_: object, **__: object) -> HTTPConnection:
        with suppress(IndexError):
            while True:
                since, connection = self.queue.pop()
                if monotonic() - since < MAX_IDLE_SECONDS:
                    return cast("HTTPConnection", connection)
                connection.close()
        raise queue.Empty


def _limited(kind: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    their = kind.ConnectionCls
    members = {"_is_socks": their.__module__.endswith("socks")}
    connection = type(their.__name__, (_Connection, their), members)
    return type(kind.__name__, (kind,), {"ConnectionCls": connection, "QueueCls": _IdleConnections})


class _Headers(CaseInsensitiveDict["str | bytes"]):
    def __repr__(self) -> str:
        # A traceback may print it.
        return f"<{len(self)} headers>"


class Transport(HTTPAdapter):
    """Sends requests to one endpoint. Threads may share it, and so may the children of a fork."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config
        self._proxy = proxy_for(config.endpoint)
        self._pool: HTTPConnectionPool | None = None
        self._pid = 0
        self._closed = False

    def exchange(self, send: Send) -> Response:
        """Send a request and read its answer, or raise the TransportError that says why not."""
        if self._closed:
            raise closed_error()
        limits = {"connect": send.connect, "read": send.read, "total": min(send.total, _LONGEST)}
        cause = None
        try:
            # requests passes a urllib3 Timeout on as it is; its annotation knows none.
            limit = cast("Any", _Limit(**limits))
            reply = self.send(_prepared(send.request), stream=True, timeout=limit)
            headers = getattr(reply.raw, "headers", reply.headers)
            return read_answer(reply.status_code, headers.items(), reply.content)
        except exceptions.TransportError as error:
            failure = error
        except (requests.RequestException, HTTPError, OSError) as error:
            # What urllib3 says, it says of a connection; the rest says an interceptor.
            is_wire = isinstance(error, HTTPError) or isinstance((*error.args, 0)[0], HTTPError)
            cause = None if is_wire else error
            what = f"{self._config.endpoint.url} gave no complete answer"
            failure = translated(error, _SENT if is_wire else _INTERCEPTED, what)
        except BaseException as other:  # noqa: BLE001 - it is raised again, without its frames
            # The frames below hold the bytes of the request.
            raise other.with_traceback(None) from None
        if isinstance(failure, exceptions.ReadTimeoutError) and self._pool and self._pool.pool:
            # What made one connection silent may have silenced the others.
            with suppress(queue.Empty):
                while True:
                    self._pool.pool.get().close()
        failure.__context__ = None
        raise failure.with_traceback(None) from cause

    def close(self) -> None:
        """Close the connections, those in use when they are done."""
        self._closed = True
        if self._pool is not None:
            self._pool.close()

    def get_connection_with_tls_context(self, *_: object, **__: object) -> HTTPConnectionPool:
        """Give the one pool of this process; to find it by the URL takes longer than to use it."""
        # Threads may make two, but a lock could stay locked in the child of a fork. What a child
        # inherits is let go, which closes its copies of the sockets and nothing else.
        if self._pool is None or self._pid != os.getpid():
            self._pool, self._pid = self._new_pool(), os.getpid()
        return self._pool

    def _new_pool(self) -> HTTPConnectionPool:
        endpoint, proxy, context = self._config.endpoint, self._proxy, None
        super().__init__(pool_maxsize=self._config.max_connections)
        if endpoint.scheme == "https" or (proxy and proxy.is_tls):
            context = tls_context(self._config.ca_bundle)
            context.sslsocket_class = _TLSSocket
        manager = self.poolmanager
        if proxy:
            options = {} if proxy.is_socks else {"proxy_ssl_context": context}
            url = proxy.full_url if proxy.is_socks else proxy.url
            manager = self.proxy_manager_for(url, **options)
        kinds = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {name: _limited(kind) for name, kind in kinds.items()}
        return manager.connection_from_host(
            endpoint.host, endpoint.port, endpoint.scheme, {"ssl_context": context}
        )

    def cert_verify(self, *_: object, **__: object) -> None:
        """Leave TLS to the pool, which has its own context."""

    def request_url(self, request: requests.PreparedRequest, proxies: object) -> str:  # noqa: ARG002 - as overridden
        """Give the request target, encoded as it was signed; an HTTP proxy wants the whole URL."""
        endpoint, url = self._config.endpoint, str(request.url)
        if self._proxy and endpoint.scheme == "http" and not self._proxy.is_socks:
            return url
        return url.removeprefix(f"{endpoint.scheme}://{endpoint.host_header}")

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - as overridden
        """Give what the proxy itself is sent."""
        return self._proxy.headers if self._proxy else {}

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:  # noqa: ANN401 - an interceptor's, too
        """Read an answer, up to the cap, before anybody else can."""
        body = b""
        try:
            while piece := resp.read(MAX_BODY_BYTES + 1 - len(body), decode_content=False):
                body += piece
        finally:
            # A connection whose answer is complete has been given back.
            resp.close()
        response = super().build_response(req, resp)
        # requests keeps the content that is read once, for us and for whoever looks on.
        response.raw = io.BytesIO(body)
        response.content  # noqa: B018 - see above
        response.raw = resp
        return response


def _prepared(wire: WireRequest) -> requests.PreparedRequest:
    request = requests.PreparedRequest()
    request.method, request.url, request.headers = wire.method, wire.url, _Headers(wire.headers)
    # Of an empty body requests would make a chunked one.
    request.body = wire.body or None
    return request
