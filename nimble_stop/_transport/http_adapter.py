"""requests' ``HTTPAdapter.send``, over connections of our own.

requests asks its adapter for a connection pool and hands the request to the pool's ``urlopen``.
This adapter gives it a pool that passes the request on to the transport's carrier. No requests
Session is involved, so there are no redirects, no cookies and no netrc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.util import Timeout

from nimble_stop import exceptions
from nimble_stop._api.response import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop._call.steps import Send
    from nimble_stop._transport.transport import Carrier


class _SecretHeaders(CaseInsensitiveDict["str | bytes"]):
    """Headers whose repr shows none of them: a traceback may print it."""

    def __repr__(self) -> str:
        return f"<{len(self)} headers>"


class _SignedRequest(requests.PreparedRequest):
    """A request that is ready as it is: requests prepares nothing."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        wire = send.request
        self.method = wire.method
        self.url = wire.url
        self.headers = _SecretHeaders(wire.headers)
        self.body = wire.body
        self.target = wire.target


class _Answer(requests.Response):
    """An answer that has been read already."""

    def __init__(self, request: requests.PreparedRequest, response: Response) -> None:
        super().__init__()
        self.request = request
        self.status_code = response.status
        self.response = response


class _Pool:
    """What requests takes for a urllib3 pool: the one method that it calls."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    def urlopen(
        self,
        *,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: Timeout,
        **_: object,
    ) -> Response:
        """Send a request and read its answer."""
        return self._carrier.carry(
            method,
            url,
            headers,
            body,
            connect=_seconds(timeout.connect_timeout),
            read=_seconds(timeout.read_timeout),
            total=_seconds(timeout.total),
        )


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("inf")


class Adapter(HTTPAdapter):
    """Sends requests through requests. Threads may share it."""

    def __init__(self, carrier: Carrier) -> None:
        super().__init__()
        self._pool = _Pool(carrier)

    def exchange(self, send: Send) -> Response:
        """Send a request and read its answer.

        Raises:
            TransportError: There is no complete answer; the subclass says why.
        """
        timeout = Timeout(connect=send.connect, read=send.read, total=send.total)
        try:
            # requests passes a urllib3 Timeout on as it is, although its annotation knows none.
            reply = self.send(
                _SignedRequest(send), stream=True, timeout=cast("tuple[float, float]", timeout)
            )
            if isinstance(reply, _Answer):
                return reply.response
            # Somebody intercepted the request and answered in requests' own terms.
            headers = {name.lower(): value for name, value in reply.headers.items()}
            return Response(reply.status_code, headers, reply.content)
        except (requests.RequestException, OSError) as error:
            raise _translated(error) from error

    # What follows is called by HTTPAdapter.send; everything was decided before.

    def get_connection_with_tls_context(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - it is no urllib3 pool
        """Give requests the pool to send with."""
        return self._pool

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Leave TLS to the pool."""

    def request_url(self, request: requests.PreparedRequest, proxies: object) -> str:  # noqa: ARG002
        """Give the request target, encoded as it was signed."""
        return request.target if isinstance(request, _SignedRequest) else request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:  # noqa: ANN401 - whatever the pool, or an interceptor, answered
        """Pass on what the pool answered; read what an interceptor answers in its place."""
        return (
            _Answer(req, resp) if isinstance(resp, Response) else super().build_response(req, resp)
        )


def _translated(error: Exception) -> exceptions.TransportError:
    """Say in our terms what an interceptor said in requests'."""
    kinds: tuple[tuple[type[Exception], type[exceptions.TransportError]], ...] = (
        (requests.exceptions.SSLError, exceptions.TLSError),
        (requests.exceptions.ProxyError, exceptions.ProxyError),
        (requests.exceptions.ConnectTimeout, exceptions.ConnectTimeoutError),
        (requests.exceptions.Timeout, exceptions.ReadTimeoutError),
        (TimeoutError, exceptions.ReadTimeoutError),
    )
    for theirs, ours in kinds:
        if isinstance(error, theirs):
            return ours(str(error))
    return exceptions.ConnectionLostError(str(error))
