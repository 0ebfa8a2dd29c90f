"""The sync transport: requests' ``HTTPAdapter.send``, called directly, over urllib3's pools."""

from __future__ import annotations

import os
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

import requests.adapters
import urllib3.connection
from urllib3.util.connection import create_connection

from nimble_stop import exceptions
from nimble_stop._api.response import MAX_BODY_BYTES, Response, read_answer
from nimble_stop._config.network import proxy_for, tls_context
from nimble_stop._transport.shared import MAX_IDLE_SECONDS, closed_error, translated

if TYPE_CHECKING:
    from nimble_stop._call.steps import Send
    from nimble_stop._config.config import Config

# The longest that a socket waits, and by how much its time-out may be off.
_LONGEST, _TOLERANCE = 1e6, 0.05
_UNREACHED: Final = (
    (requests.ConnectTimeout, exceptions.ConnectTimeoutError),
    ((ssl.SSLError, requests.exceptions.SSLError), exceptions.TLSError),
    (requests.exceptions.ProxyError, exceptions.ProxyError),
)
_LATE: Final = (TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout)
_exchange = local()


class _Socket(socket.socket):
    def settimeout(self, value: float | None) -> None:
        # urllib3 sets one for each request, which lets another thread run.
        if self.gettimeout() is None:
            super().settimeout(value)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401, ARG002 - as overridden
        data = self.recv(nbytes or len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def recv(self, *args: Any) -> bytes:  # noqa: ANN401 - as overridden
        if (left := _exchange.limit - monotonic()) <= 0 or getattr(self, "version", str)() is None:
            # TLS that finds its connection reset asks for a byte, and would lose it open.
            self.close()
            raise TimeoutError("timed out")
        if abs(left - (self.gettimeout() or 0)) > _TOLERANCE:
            super().settimeout(left)
        data = super().recv(*args)
        if not (data or _exchange.may_end):
            raise ConnectionResetError("the connection was closed in the middle of the answer")
        if _exchange.unsent:
            # TLS behind a proxy's tunnel has what is left.
            super().settimeout(max(_exchange.limit - monotonic(), _TOLERANCE))
        return data


class _Answer(HTTPResponse):
    def begin(self) -> None:
        super().begin()
        while self.status < 200 and self.status != 101:  # noqa: PLR2004 - HTTP's own numbers
            self.headers: Any = None
            super().begin()
        if self.headers.defects or (self.length is None and "content-length" in self.headers):
            raise HTTPException("its head is malformed")
        if self.length is None and not self.chunked:
            # It ends with the connection, but not before it has begun.
            self.fp.peek(1)
            _exchange.may_end = True


class _Connection(urllib3.connection.HTTPConnection):
    response_class = _Answer
    _body: bytes | None = None

    def request(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as overridden
        self._body = options.pop("body", None) or b""
        super().request(*args, **options)

    def send(self, data: Any) -> None:  # noqa: ANN401 - as overridden
        if self.sock is None:
            self.connect()
        if self._body is not None:
            data, self._body = data + self._body, None
            _exchange.unsent = ()
            _exchange.limit = min(_exchange.end, monotonic() + _exchange.read)
        super().send(data)

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
            self.close()
            other = exceptions.ProxyError if _exchange.limit else exceptions.ConnectionFailedError
            kinds = (*_UNREACHED, (_LATE, exceptions.ConnectTimeoutError), (Exception, other))
            raise translated(error, f"{self.host}:{self.port}", *kinds) from None

    def _new_conn(self) -> socket.socket:
        end, opened = monotonic() + (self.timeout or 0), Future[socket.socket]()

        def open_it() -> None:
            try:
                opened.set_result(self._open())
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
            opened.add_done_callback(lambda late: late.exception() or late.result().close())  # type: ignore[func-returns-value]
            raise
        sock.settimeout(max(end - monotonic(), _TOLERANCE))
        # Only a proxy has something to say before the request is sent.
        _exchange.limit = end if self.proxy else 0
        return sock

    def _open(self) -> socket.socket:
        end, failure = monotonic() + (self.timeout or 0), OSError("the name has no address")
        # As bytes: a str would pass through IDNA.
        found: Any = socket.getaddrinfo(self.host.encode(), self.port, type=socket.SOCK_STREAM)
        for index, (*_, (address, *_)) in enumerate(found):
            # An address that does not answer leaves time for those behind it.
            share = max((end - monotonic()) / (len(found) - index), _TOLERANCE)
            try:
                return create_connection((address, self.port), share, None, self.socket_options)
            except OSError as error:
                failure = error
        raise failure


class _IdleConnections(queue.LifoQueue[Any]):
    """Closes what is too many or too old; without a lock, which a fork could copy locked."""

    def put(self, item: Any, *_: object, **__: object) -> None:  # noqa: ANN401 - as overridden
        if item is not None:
            self.queue.append((monotonic(), item))
        while len(self.queue) > self.maxsize:
            self.queue.pop(0)[1].close()

    def get(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - as overridden
        try:
            since, connection = self.queue.pop()
        except IndexError:
            raise queue.Empty from None
        # TLS may hold what has come behind the answer; TLS within TLS does not say so.
        surplus = getattr(connection.sock, "pending", lambda: hasattr(connection.sock, "sslobj"))
        if surplus() or monotonic() - since > MAX_IDLE_SECONDS:
            connection.close()
        return connection

    def close(self) -> None:
        self.maxsize = 0
        self.put(None)


class Transport(requests.adapters.HTTPAdapter):
    """Sends requests to one endpoint. Threads may share it, and so may the children of a fork."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config, self._proxy, self._closed = config, proxy_for(config.endpoint), False
        is_forwarded = self._proxy and not self._proxy.is_socks and config.endpoint.scheme == "http"
        self._origin = "" if is_forwarded else config.endpoint.origin
        self._pool: tuple[int, Any] = 0, None

    def exchange(self, send: Send) -> Response:
        """Send a request and read its answer, or raise the TransportError that says why not."""
        if self._closed:
            raise closed_error()
        total, read = min(send.total, _LONGEST), min(send.read, _LONGEST)
        _exchange.end, _exchange.read = monotonic() + total, read
        _exchange.limit, _exchange.may_end, _exchange.unsent = 0, False, _UNREACHED
        wire, request = send.request, requests.PreparedRequest()
        request.method, request.url, request.headers = wire.method, wire.url, wire.headers  # type: ignore[assignment]
        # Of an empty body requests would make a chunked one.
        request.body = wire.body or None
        try:
            reply = self.send(request, stream=True, timeout=(min(total, send.connect), read))
            fields = getattr(reply.raw, "headers", reply.headers).items()
            return read_answer(reply.status_code, fields, reply.content)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            kinds = (*_exchange.unsent, (_LATE, exceptions.ReadTimeoutError))
            failure = translated(error, self._config.endpoint.url, *kinds)
            if isinstance(failure, exceptions.ReadTimeoutError):
                # What made one connection silent may have silenced the idle ones: forget them.
                self._pool = 0, None
            raise failure from (error if _exchange.unsent else None)

    def close(self) -> None:
        """Close the connections, those in use when they are done."""
        self._closed = True
        if pool := self._pool[1]:
            pool.pool.close()

    def get_connection_with_tls_context(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - urllib3's pool
        """Give this process's one pool; to find it by the URL takes longer than to use it."""
        process, pool = self._pool
        if process == os.getpid():
            return pool
        endpoint, proxy = self._config.endpoint, self._proxy
        if context := tls_context(self._config, proxy):
            context.sslsocket_class = type("TLSSocket", (_Socket, ssl.SSLSocket), {})
        if proxy is None:
            manager: Any = urllib3.PoolManager()
        elif proxy.is_socks:
            manager = requests.adapters.HTTPAdapter().proxy_manager_for(proxy.full_url)
        else:
            manager = urllib3.ProxyManager(proxy.url, 1, None, proxy.headers, context)
        where = endpoint.host, endpoint.port, endpoint.scheme
        pool = manager.connection_from_host(*where, {"ssl_context": context})
        their = pool.ConnectionCls
        members = {"_open": their._new_conn} if proxy and proxy.is_socks else {}
        pool.ConnectionCls = type(their.__name__, (_Connection, their), members)
        idle = pool.pool = _IdleConnections(self._config.max_connections)
        # What threads give back later, when the interpreter ends, is closed too.
        weakref.finalize(pool, idle.close)
        self._pool = os.getpid(), pool
        return pool

    def request_url(self, request: Any, proxies: object) -> str:  # noqa: ANN401, ARG002 - as overridden
        """Give the target as it was signed; to a proxy that forwards, the whole URL."""
        return str(request.url.removeprefix(self._origin))

    def cert_verify(self, *_: object, **__: object) -> None:
        """Leave TLS to the pool, which has its own context."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:  # noqa: ANN401 - an interceptor's, too
        """Read an answer, up to the cap, before anybody else can."""
        body = b""
        try:
            while not resp.closed and len(body) <= MAX_BODY_BYTES:
                body += resp.read(min(65536, MAX_BODY_BYTES + 1 - len(body)), decode_content=False)
        finally:
            resp.close()
        response = super().build_response(req, resp)
        # requests keeps the content that is read once, for us and for any observer.
        response.raw = BytesIO(body)
        response.content  # noqa: B018 - see above
        response.raw = resp
        return response
