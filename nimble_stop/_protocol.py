"""The operations of the API as data, and the two pure functions between values and HTTP.

`build_request` turns checked arguments into a request, `parse_response` turns an answer into a
model or raises what the service said. They mirror each other and know nothing of sockets, clocks,
credentials or the environment. Nothing else in the package turns a status into an exception.
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, NoReturn, TypeVar, cast
from urllib.parse import quote

from nimble_stop._arguments import checked_id, checked_text
from nimble_stop._service_errors import service_error
from nimble_stop.exceptions import ResponseDecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nimble_stop.models import StreamingSession

ModelT = TypeVar("ModelT")

CLIENT_TOKEN_HEADER: Final = "X-Amz-Client-Token"  # noqa: S105 - a header's name
_JSON: Final = "application/json"
_SUCCESS: Final = range(200, 300)
# RFC 3986's unreserved characters; AWS percent-encodes all others in a path segment.
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9\-._~]+", re.ASCII)


class Page(NamedTuple):
    """One page of `ListStreamingSessions`."""

    sessions: tuple[StreamingSession, ...]
    next_token: str | None


class Operation(NamedTuple, Generic[ModelT]):
    """One operation of the API.

    Args:
        name: AWS's name for it.
        method: The HTTP method.
        path: The path, with the arguments that are its segments in braces.
        query: Arguments that go into the query, and their names there.
        body: Arguments that go into the JSON body, and their names there; None for no body.
        takes_token: Whether an idempotency token makes it safe to repeat.
        read: Makes the model out of the answer's JSON object, or raises ValueError.
    """

    name: str
    method: str
    path: str
    read: Callable[[dict[str, Any]], ModelT]
    query: Mapping[str, str] = MappingProxyType({})
    body: Mapping[str, str] | None = None
    takes_token: bool = False


class Request(NamedTuple, Generic[ModelT]):
    """What is sent, but for the endpoint, the signature and the headers of an attempt.

    Args:
        operation: The operation it is for.
        path: The path, percent-encoded.
        query: The query, percent-encoded and sorted, without a question mark.
        headers: The headers that the operation itself asks for.
        body: The body's bytes.
        client_token: The idempotency token, when the operation takes one.
    """

    operation: Operation[ModelT]
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client_token: str | None


class Response(NamedTuple):
    """An answer, complete and at most as long as the cap allows.

    Its repr shows neither headers nor body: they may quote what was signed.

    Args:
        status: The HTTP status.
        headers: The headers; the names in lower case.
        body: The body's bytes, without any content coding.
        truncated: Whether the body went on beyond the cap.
        resent: Whether the request had gone out before, on a kept connection that turned out to be
            closed. As a rule nobody had read it there, but that is not known.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False
    resent: bool = False

    def __repr__(self) -> str:
        """Show the status alone: the rest may quote what was signed."""
        return f"<{type(self).__name__} {self.status}>"

    @property
    def request_id(self) -> str | None:
        """The service's name for the request."""
        return self.headers.get("x-amzn-requestid") or self.headers.get("x-amz-request-id")


def build_request(
    operation: Operation[ModelT],
    arguments: Mapping[str, str | None],
    *,
    client_token: str | None = None,
) -> Request[ModelT]:
    """Build the request of one call, the same for all its attempts.

    Args:
        operation: The operation.
        arguments: Its arguments by the library's names; None counts as not given.
        client_token: The checked idempotency token, when the operation takes one.

    Raises:
        RequestValidationError: An argument cannot be sent.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    segments = {
        name: _encode(checked_id(name, given.get(name, "")))
        for name in arguments
        if f"{{{name}}}" in operation.path
    }
    query = "&".join(
        f"{member}={_encode(checked_text(name, given[name]))}"
        for name, member in operation.query.items()
        if name in given
    )
    headers: dict[str, str] = {}
    body = b""
    if operation.body is not None:
        # An empty body is refused by the service: without members it is the object {}.
        members = {member: given[name] for name, member in operation.body.items() if name in given}
        body = json.dumps(members).encode()
        headers["Content-Type"] = _JSON
    if client_token is not None:
        headers[CLIENT_TOKEN_HEADER] = client_token
    return Request(
        operation=operation,
        path=operation.path.format_map(segments),
        query=query,
        headers=headers,
        body=body,
        client_token=client_token,
    )


def parse_response(operation: Operation[ModelT], response: Response) -> ModelT:
    """Read the answer to a request.

    Args:
        operation: The operation that was asked for.
        response: The answer.

    Returns:
        The operation's model.

    Raises:
        ServiceError: The service answered with an error; the subclass says which.
        ResponseDecodeError: The status says success, and the body does not hold the model.
    """
    if response.status not in _SUCCESS:
        raise service_error(
            response.status, response.headers, _error_members(response.body), response.request_id
        )
    try:
        if response.truncated:
            raise ValueError("it is too long")  # noqa: TRY301 - one way out for all reasons
        return operation.read(_json_object(response.body))
    except ValueError as error:
        raise ResponseDecodeError(
            f"The answer to {operation.name} cannot be understood: {error}",
            http_status=response.status,
            request_id=response.request_id,
            body=response.body,
        ) from None


def _error_members(body: bytes) -> dict[str, Any]:
    """Give what an error's body says; a proxy's page says nothing that we can read."""
    try:
        return _json_object(body)
    except ValueError:
        return {}


def _json_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object, or raise ValueError, whatever the bytes are."""
    try:
        value: object = json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ValueError("the body is not UTF-8") from None
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"the body is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"the body is not a JSON object but {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _encode(text: str) -> str:
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="-._~")


def _read_session(members: dict[str, Any]) -> StreamingSession:
    from nimble_stop._converter import structure_session

    if members.get("session") is None:
        raise ValueError("it has no session")
    return structure_session(members["session"])


def _read_page(members: dict[str, Any]) -> Page:
    from nimble_stop._converter import structure_session

    sessions: object = members.get("sessions")
    next_token: object = members.get("nextToken")
    if not isinstance(sessions, list):
        raise ValueError("it has no list of sessions")
    if not isinstance(next_token, str | None):
        raise ValueError("nextToken is not a string")
    items = cast("list[object]", sessions)
    return Page(tuple(structure_session(item) for item in items), next_token or None)


_SESSIONS: Final = "/2020-08-01/studios/{studio_id}/streaming-sessions"
_SESSION: Final = _SESSIONS + "/{session_id}"

# https://docs.aws.amazon.com/nimble-studio/latest/api/API_StopStreamingSession.html
STOP_STREAMING_SESSION: Final = Operation(
    name="StopStreamingSession",
    method="POST",
    path=_SESSION + "/stop",
    body={"retention": "volumeRetentionMode"},
    takes_token=True,
    read=_read_session,
)

# https://docs.aws.amazon.com/nimble-studio/latest/api/API_GetStreamingSession.html
GET_STREAMING_SESSION: Final = Operation(
    name="GetStreamingSession",
    method="GET",
    path=_SESSION,
    read=_read_session,
)

# https://docs.aws.amazon.com/nimble-studio/latest/api/API_ListStreamingSessions.html
LIST_STREAMING_SESSIONS: Final = Operation(
    name="ListStreamingSessions",
    method="GET",
    path=_SESSIONS,
    query={
        "created_by": "createdBy",
        "next_token": "nextToken",
        "owned_by": "ownedBy",
        "session_ids": "sessionIds",
    },
    read=_read_page,
)
