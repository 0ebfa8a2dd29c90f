"""The operations of the API as data: what each sends, and how its answer is read."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

from nimble_stop._api.converter import structure_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nimble_stop.models import StreamingSession

ModelT = TypeVar("ModelT")


class Page(NamedTuple):
    sessions: tuple[StreamingSession, ...]
    next_token: str | None


class Operation(NamedTuple, Generic[ModelT]):
    """One operation of the API, under AWS's name.

    ``path`` has the arguments that are its segments in braces. ``query`` and ``body`` give the
    names that the other arguments have there; a ``body`` of None is none. ``read`` makes the model
    out of the answer's JSON object, or raises ValueError.
    """

    name: str
    method: str
    path: str
    read: Callable[[dict[str, Any]], ModelT]
    query: Mapping[str, str] = MappingProxyType({})
    body: Mapping[str, str] | None = None


def _read_session(members: dict[str, Any]) -> StreamingSession:
    if members.get("session") is None:
        raise ValueError("it has no session")
    return structure_session(members["session"])


def _read_page(members: dict[str, Any]) -> Page:
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
