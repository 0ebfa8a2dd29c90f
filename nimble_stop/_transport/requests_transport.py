"""The sync transport: requests' ``HTTPAdapter.send``, called directly, over urllib3's pools.

No requests Session is involved: no redirects, no cookies, no netrc. urllib3 gives each address of a
host the whole time to connect, and each receive the whole time to read; here each is one limit.
What fails before there is a connection is an error of ours from there on; the rest was sent.
"""

from __future__ import annotations

import queue
import socket
import ssl
import weakref
from concurrent.futures import Future
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from threading import Thread, local
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, ReadTimeoutError
from urllib3.util import Timeout
from urllib3.util.connection import create_connection

from nimble_stop import exceptions
from nimble_stop._api.response import MAX_BODY_BYTES, Response, read_answer
from nimble_stop._config.network import proxy_for, tls_context
from nimble_stop._config.runtime import renew_after_fork
from nimble_stop._transport.shared import MAX_IDLE_SECONDS, closed_error, translated

if TYPE_CHECKING:
    from nimble_stop._call.steps import Send
    from nimble_stop._config.config import Config

# A socket takes 0 for "do not wait", and its time-out overflows at 24 days.
_SHORTEST, _LONGEST = 1e-6, 1e6
# Seconds by which a receive may be early or late.
_TOLERANCE = 0.02
_UNREACHED: Final = (
    ((ConnectTimeoutError, requests.ConnectTimeout), exceptions.ConnectTimeoutError),
    ((ssl.SSLError, requests.exceptions.SSLError), exceptions.TLSError),
    (requests.exceptions.ProxyError, exceptions.ProxyError),
)
_TIMEOUT: Final = ((requests.Timeout, ReadTimeoutError), exceptions.ReadTimeoutError)
# The exchange of each thread: when it must be over, and whether a connection has the request.
_exchange = local()


class _Socket(socket.socket):
    # When all must be received, and whether the end of the connection can be the end of it.
    end, may_end = 0.0, False
    limit = 0.0

    def settimeout(self, value: float | None) -> None:
        # urllib3 sets one before it sends and one before it receives; each would be a system call.
        self.limit = value or 0.0
        if self.gettimeout() is None:
            super().settimeout(value)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401, ARG002 - as overridden
        data = self.recv(nbytes or len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def recv(self, *args: Any) -> bytes:  # noqa: ANN401 - as overridden
        if (left := self.end - monotonic()) <= 0:
            # TLS that finds its connection reset asks for a byte, and would lose it open.
            self.close()
            raise TimeoutError("timed out")
        if abs(left - (self.gettimeout() or 0)) > _TOLERANCE:
            super().settimeout(left)
        data = super().recv(*args)
        if not (data or self.may_end):
            raise ConnectionResetError("the connection was closed in the middle of the answer")
        return data


class _Answer(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as overridden
        super().__init__(sock, *args, **kwargs)
        # TLS within TLS is no socket, and holds one.
        self._sock: _Socket = getattr(sock, "socket", sock)
        # urllib3 does not count the time that a proxy's tunnel took.
        self._sock.end = min(monotonic() + self._sock.limit, _exchange.end)
        self._sock.may_end = False

    def begin(self) -> None:
        super().begin()
        while self.status < 200 and self.status != 101:  # noqa: PLR2004 - HTTP's own numbers
            self.headers: Any = None
            super().begin()
        if self.chunked and "content-length" in self.headers:
            raise HTTPException("its framing is ambiguous")
        if self.length is None and not self.chunked:
            # It ends with the connection, but not before it has begun.
            self.fp.peek(1)
            self._sock.may_end = True


class _Connection(HTTPConnection):
    response_class = _Answer
    _body: bytes | None = None
    _is_open = _is_socks = False

    def request(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as overridden
        self._body = options.pop("body", None)
        super().request(*args, **options)

    def send(self, data: Any) -> None:  # noqa: ANN401 - as overridden
        # Head and body in one write.
        body, self._body = self._body or b"", None
        _exchange.is_sent = True
        super().send(data + body)

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPException, HTTPError, ValueError) as error:
            # TLS leaves an empty socket behind where it takes one over.
            in_tunnel = self.proxy and self._is_open and not (self.sock and self.sock.fileno() < 0)
            other = exceptions.ProxyError if in_tunnel else exceptions.ConnectionFailedError
            self.close()
            what = f"{self.host}:{self.port} cannot be reached"
            late = (TimeoutError, exceptions.ConnectTimeoutError)
            raise translated(error, what, late, *_UNREACHED, (Exception, other)) from None

    def _new_conn(self) -> socket.socket:
        end, opened = monotonic() + (self.timeout or 0), Future[socket.socket]()
        work = super()._new_conn if self._is_socks else lambda: self._open(end)

        def open_it() -> None:
            try:
                opened.set_result(work())
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                opened.set_exception(error)

        try:
            # The resolver and PySocks know no limit for all that they do.
            Thread(target=open_it, daemon=True).start()
        except RuntimeError:
            # The system has no thread to give, or the interpreter is ending.
            open_it()
        try:
            sock = _Socket(fileno=opened.result(end - monotonic()).detach())
        except BaseException:
            # What opens too late is closed.
            opened.add_done_callback(lambda late: late.exception() or late.result().close())  # type: ignore[func-returns-value]
            raise
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
            try:
                where = str(address[0]), self.port
                return create_connection(where, share, socket_options=self.socket_options)
            except OSError as error:
                failure = error
        raise failure


class _IdleConnections(queue.LifoQueue[Any]):
    """Closes what is too many or too old; without a lock, which a fork could copy locked."""

    def put(self, item: Any, *_: object, **__: object) -> None:  # noqa: ANN401 - as overridden
        if item is not None:
            self.queue.append((monotonic(), item))
        if len(self.queue) > self.maxsize:
            self.queue.pop(0)[1].close()

    def get(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - as overridden
        try:
            since, connection = self.queue.pop()
        except IndexError:
            raise queue.Empty from None
        if monotonic() - since > MAX_IDLE_SECONDS:
            # urllib3 opens it anew.
            connection.close()
        return connection


def _limited(kind: Any) -> Any:  # noqa: ANN401 - a class of urllib3's, and one of ours
    their = kind.ConnectionCls
    members = {"_is_socks": their.__module__.endswith("socks")}
    connection = type(their.__name__, (_Connection, their), members)
    return type(kind.__name__, (kind,), {"ConnectionCls": connection, "QueueCls": _IdleConnections})


class Transport(HTTPAdapter):
    """Sends requests to one endpoint. Threads may share it, and so may the children of a fork."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config, self._proxy = config, proxy_for(config.endpoint)
        is_forwarded = self._proxy and not self._proxy.is_socks and config.endpoint.scheme == "http"
        # What of a URL is not sent.
        self._origin = "" if is_forwarded else config.endpoint.origin
        self._pool: Any = None
        self._closed = False
        renew_after_fork(self)

    def renew(self) -> None:
        """Forget the pool that a child of a fork inherits: its copies of the sockets are closed."""
        self._pool = None

    def exchange(self, send: Send) -> Response:
        """Send a request and read its answer, or raise the TransportError that says why not."""
        if self._closed:
            raise closed_error()
        total = min(send.total, _LONGEST)
        _exchange.end, _exchange.is_sent = monotonic() + total, False
        limit: Any = Timeout(total, send.connect, send.read)
        wire, request = send.request, requests.PreparedRequest()
        request.method, request.url, request.headers = wire.method, wire.url, wire.headers  # type: ignore[assignment]
        # Of an empty body requests would make a chunked one.
        request.body = wire.body or None
        try:
            # requests passes a urllib3 Timeout on as it is.
            reply = self.send(request, stream=True, timeout=limit)
            fields = getattr(reply.raw, "headers", reply.headers).items()
            return read_answer(reply.status_code, fields, reply.content)
        except (requests.RequestException, HTTPError, OSError) as error:
            unsent = () if _exchange.is_sent else _UNREACHED
            what = f"{self._config.endpoint.url} gave no complete answer"
            failure = translated(error, what, *unsent, _TIMEOUT)
            if isinstance(failure, exceptions.ReadTimeoutError):
                # What made one connection silent may have silenced the idle ones: forget them.
                super().close()
                self._pool = None
            raise failure from (error if unsent else None)

    def close(self) -> None:
        """Close the connections, those in use when they are done."""
        self._closed = True
        if self._pool is not None:
            self._pool.close()

    def get_connection_with_tls_context(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - urllib3's pool
        """Give the one pool; to find it by the URL takes longer than to use it."""
        if (pool := self._pool) is not None:
            return pool
        # Threads may make two, of which one is let go when its request has ended.
        endpoint, proxy, context = self._config.endpoint, self._proxy, None
        super().__init__(pool_maxsize=self._config.max_connections)
        if endpoint.scheme == "https" or (proxy and proxy.is_tls):
            context = tls_context(self._config.ca_bundle)
            context.sslsocket_class = type("TLSSocket", (_Socket, ssl.SSLSocket), {})
        manager: Any = self.poolmanager
        if proxy and proxy.is_socks:
            manager = self.proxy_manager_for(proxy.full_url)
        elif proxy:
            manager = self.proxy_manager_for(proxy.url, proxy_ssl_context=context)
        kinds = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {name: _limited(kind) for name, kind in kinds.items()}
        options = {"ssl_context": context}
        where = endpoint.host, endpoint.port, endpoint.scheme
        pool = manager.connection_from_host(*where, options)
        # What threads give back after urllib3 has cleaned up, when the interpreter ends, is closed.
        weakref.finalize(pool, setattr, pool.pool, "maxsize", -1)
        self._pool = pool
        return pool

    def request_url(self, request: Any, proxies: object) -> str:  # noqa: ANN401, ARG002 - as overridden
        """Give the request's target, as it was signed."""
        target: str = request.url.removeprefix(self._origin)
        return target

    def cert_verify(self, *_: object, **__: object) -> None:
        """Leave TLS to the pool, which has its own context."""

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - as overridden
        """Give what the proxy itself is sent."""
        return self._proxy.headers if self._proxy else {}

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:  # noqa: ANN401 - an interceptor's, too
        """Read an answer, up to the cap, before anybody else can."""
        body = b""
        try:
            while not resp.closed and len(body) <= MAX_BODY_BYTES:
                body += resp.read(MAX_BODY_BYTES + 1 - len(body), decode_content=False)
        finally:
            # A connection whose answer is complete has been given back.
            resp.close()
        response = super().build_response(req, resp)
        # requests keeps the content that is read once, for us and for any observer.
        response.raw = BytesIO(body)
        response.content  # noqa: B018 - see above
        response.raw = resp
        return response
