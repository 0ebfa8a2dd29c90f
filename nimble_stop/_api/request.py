"""From checked arguments to the request of a call. Pure: no socket, clock or environment.

`build_request` is the mirror image of `nimble_stop._api.response.parse_response`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar
from urllib.parse import quote

from nimble_stop._api import arguments
from nimble_stop._api.operations import GET_STREAMING_SESSION, STOP_STREAMING_SESSION, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nimble_stop.models import StreamingSession, VolumeRetentionMode

ModelT = TypeVar("ModelT")

CLIENT_TOKEN_HEADER: Final = "X-Amz-Client-Token"  # noqa: S105 - a header's name
# RFC 3986's unreserved characters; AWS percent-encodes all others in a path segment.
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9\-._~]+", re.ASCII)


class Request(NamedTuple, Generic[ModelT]):
    """What is sent, but for the endpoint, the signature and the headers of an attempt.

    Path and query are percent-encoded, and the query is sorted. The ids say what the request is
    about; a list has no session id.
    """

    operation: Operation[ModelT]
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client_token: str | None
    studio_id: str | None
    session_id: str | None


def build_request(
    operation: Operation[ModelT],
    values: Mapping[str, str | None],
    *,
    client_token: str | None = None,
) -> Request[ModelT]:
    """Build the request of one call, the same for all its attempts.

    The values have the library's names, and None counts as not given. The token has been checked.

    Raises:
        RequestValidationError: An argument cannot be sent.
    """
    given = {name: value for name, value in values.items() if value is not None}
    segments = {
        name: _encode(arguments.checked_id(name, given.get(name, "")))
        for name in values
        if f"{{{name}}}" in operation.path
    }
    query = "&".join(
        f"{member}={_encode(arguments.checked_text(name, given[name]))}"
        for name, member in operation.query.items()
        if name in given
    )
    headers: dict[str, str] = {}
    body = b""
    if operation.body is not None:
        # An empty body is refused by the service: without members it is the object {}.
        members = {member: given[name] for name, member in operation.body.items() if name in given}
        body = json.dumps(members).encode()
        headers["Content-Type"] = "application/json"
    if client_token is not None:
        headers[CLIENT_TOKEN_HEADER] = client_token
    return Request(
        operation=operation,
        path=operation.path.format_map(segments),
        query=query,
        headers=headers,
        body=body,
        client_token=client_token,
        studio_id=given.get("studio_id"),
        session_id=given.get("session_id"),
    )


def stop_request(
    studio_id: str,
    session_id: str,
    retention: VolumeRetentionMode | str | None,
    client_token: str | None,
    new_token: Callable[[], str],
) -> Request[StreamingSession]:
    """Build the request that stops a session, with a new token when none is given."""
    token = new_token() if client_token is None else client_token
    return build_request(
        STOP_STREAMING_SESSION,
        {
            "studio_id": studio_id,
            "session_id": session_id,
            "retention": arguments.checked_retention(retention),
        },
        client_token=arguments.checked_client_token(token),
    )


def get_request(studio_id: str, session_id: str) -> Request[StreamingSession]:
    return build_request(GET_STREAMING_SESSION, {"studio_id": studio_id, "session_id": session_id})


def _encode(text: str) -> str:
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="-._~")
