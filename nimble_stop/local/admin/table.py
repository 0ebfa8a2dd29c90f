"""The routes of the admin API: the one table that is dispatched and documented."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from nimble_stop.local.admin import endpoint_actions, session_actions
from nimble_stop.local.admin.openapi import openapi_document
from nimble_stop.local.admin.replies import Content, json_reply
from nimble_stop.local.admin.routing import Parameter, Route
from nimble_stop.local.admin.schemas import array, object_schema, reference

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call, Schema

__all__ = ["ROUTES"]

_EVENT_NUMBER: Final[Schema] = {"type": "integer", "minimum": 0}
_AFTER: Final = (
    "The number of the last event seen: those after it are sent first. 0 asks for all since the "
    "endpoint began. Without it the stream begins with the next event."
)
_EVENTS: Final = """\
Each event has an `id`, an `event` and JSON as `data`:

- `sessions`: `{"sessions": [...]}`, the sessions that changed, whole; null when many changed at
  once, and all are to be read again.
- `request`: a request that came in, as the journal shows it.
- `faults`: `{"faults": [...]}`, all faults in force.
- `clock`: `{"now", "skipped"}`, as `GET clock` answers it.
- `reset`: `{}`, everything was reset.
- `resync`: `{}`, some events are lost, because the reader was away for too long or is too slow;
  everything is to be read again.

A reader that takes nothing for half a minute is disconnected."""
_SESSIONS: Final = object_schema({"sessions": array(reference("Session"))})


def _get_openapi(_: Context, __: Call) -> Content:
    return json_reply(_document())


@cache
def _document() -> dict[str, object]:
    return openapi_document(ROUTES)


ROUTES: Final = (
    Route(
        method="GET",
        path="/",
        name="getPage",
        summary="The live page",
        action=endpoint_actions.get_index,
        returns={"type": "string"},
        media_type="text/html",
        is_public=True,
        may_wait=False,
    ),
    Route(
        method="GET",
        path="/page/{name}",
        name="getPageFile",
        summary="A file of the live page",
        action=endpoint_actions.get_page_file,
        returns={"type": "string"},
        media_type="text/*",
        errors=(404,),
        is_public=True,
        may_wait=False,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        name="getOpenApi",
        summary="This document",
        action=_get_openapi,
        returns={"type": "object"},
        is_public=True,
        may_wait=False,
    ),
    Route(
        method="GET",
        path="/health",
        name="getHealth",
        summary="Whether the endpoint serves",
        description="Answers at once, also while the store is busy.",
        action=endpoint_actions.get_health,
        returns=reference("Health"),
        is_public=True,
        may_wait=False,
    ),
    Route(
        method="GET",
        path="/events",
        name="readEvents",
        summary="What changes and what comes in, as server-sent events",
        description=_EVENTS,
        parameters=(
            Parameter("after", _AFTER, schema=_EVENT_NUMBER),
            Parameter(
                "Last-Event-ID",
                "The same, as browsers send it; it goes before `after`.",
                schema=_EVENT_NUMBER,
                header=True,
            ),
        ),
        action=endpoint_actions.read_events,
        returns={"type": "string"},
        media_type="text/event-stream",
        errors=(503,),
        may_wait=False,
    ),
    Route(
        method="GET",
        path="/sessions",
        name="listSessions",
        summary="All sessions, deleted ones too, in the order of creation",
        parameters=(
            Parameter("studioId", "Only sessions of this studio."),
            Parameter("state", "Only sessions in this state."),
        ),
        action=session_actions.list_sessions,
        returns=_SESSIONS,
    ),
    Route(
        method="POST",
        path="/sessions",
        name="addSessions",
        summary="Add one session, or a list of them",
        action=session_actions.add_sessions,
        body={"oneOf": [reference("NewSession"), array(reference("NewSession"))]},
        status=201,
        returns={"oneOf": [reference("Session"), _SESSIONS]},
        errors=(409,),
    ),
    Route(
        method="GET",
        path="/sessions/{studioId}/{sessionId}",
        name="getSession",
        summary="One session",
        action=session_actions.get_session,
        returns=reference("Session"),
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/sessions/{studioId}/{sessionId}/complete",
        name="completeSession",
        summary="Complete the transition that a session is in",
        action=session_actions.complete_session,
        returns=reference("Session"),
        errors=(404, 409),
    ),
)
"""All routes."""
