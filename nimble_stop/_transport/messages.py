"""What both transports do around a connection: write a request, take an answer or tell its lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop._api.response import Response
from nimble_stop._transport.http import decode_content, render_request
from nimble_stop.exceptions import ConnectionLostError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nimble_stop._config.endpoint_url import Endpoint
    from nimble_stop._transport.http import ResponseReader
    from nimble_stop._transport.proxy import Proxy


class RequestWriter:
    """Writes the requests to one endpoint, straight or by way of a proxy."""

    def __init__(self, endpoint: Endpoint, proxy: Proxy | None) -> None:
        # An HTTP proxy is asked for the whole URL; through a tunnel nothing changes.
        asked = proxy if endpoint.scheme == "http" else None
        self._origin = f"http://{endpoint.host_header}" if asked else ""
        self._proxy_headers = asked.headers if asked else {}

    def write(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> memoryview:
        """Write a request; a view, because its repr does not show the bytes in a traceback."""
        fields = [*headers.items(), *self._proxy_headers.items()]
        return memoryview(render_request(method, self._origin + target, fields, body))


def read_answer(answer: ResponseReader) -> Response:
    """Give the answer that a connection's reader holds."""
    content, cut = decode_content(answer.headers, answer.body)
    return Response(
        answer.status,
        answer.headers,
        content,
        truncated=answer.truncated or cut,
        resent=answer.resent,
    )


def unanswered(endpoint: Endpoint, error: Exception, answer: ResponseReader) -> ConnectionLostError:
    """Say why there is no complete answer, and how far it had come."""
    if isinstance(error, TimeoutError):
        progress = "the answer broke off" if answer.started else "nothing came back"
        return ReadTimeoutError(f"{endpoint.url} did not answer in time: {progress}.")
    return ConnectionLostError(f"The answer of {endpoint.url} cannot be read: {error}.")
