"""What the admin API does to sessions."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.inputs import check_members, read_objects
from nimble_stop.local.admin.openapi.components import SESSION_MEMBERS
from nimble_stop.local.admin.openapi.schemas import (
    COUNT_OR_ZERO,
    array,
    described,
    object_schema,
    one_or_list,
    reference,
)
from nimble_stop.local.admin.replies import Content, Problem, json_reply, no_content
from nimble_stop.local.admin.routing import Parameter, Route
from nimble_stop.local.studio.document import SessionExistsError
from nimble_stop.models import member_name

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call

__all__ = ["ROUTES"]

_ARGUMENT: Final = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")


def list_sessions(context: Context, call: Call) -> Content:
    """List sessions, deleted ones too, in the order of creation."""
    wanted = call.parameters
    sessions = [
        session
        for session in context.control.session_documents()
        if all(session[name] == value for name, value in wanted.items())
    ]
    return json_reply({"sessions": sessions})


def add_sessions(context: Context, call: Call) -> Content:
    """Add one session or several, all or none."""
    documents = read_objects(call.body)
    for document in documents:
        check_members(document, SESSION_MEMBERS)
    try:
        added = context.control.add_session_documents(documents)
    except SessionExistsError as error:
        raise Problem(409, _explain(error, call)) from error
    except (TypeError, ValueError) as error:
        raise Problem(400, _explain(error, call)) from error
    if isinstance(call.body, list):
        return json_reply({"sessions": added}, HTTPStatus.CREATED)
    (session,) = added
    place = "/".join(quote(str(session[name]), safe="") for name in ("studioId", "sessionId"))
    location = {"Location": f"{PREFIX}/sessions/{place}"}
    return json_reply(session, HTTPStatus.CREATED, location)


def get_session(context: Context, call: Call) -> Content:
    """Read one session."""
    return json_reply(_find(context, call))


def complete_session(context: Context, call: Call) -> Content:
    """Complete the transition that a session is in."""
    session = _find(context, call)
    try:
        context.control.complete(call.path["studioId"], call.path["sessionId"])
    except ValueError as error:
        message = f"The session is in {session['state']}, which is no state of transition."
        raise Problem(409, message) from error
    return json_reply(_find(context, call))


def complete_sessions(context: Context, _: Call) -> Content:
    """Complete the transitions of all sessions."""
    return json_reply({"completed": context.control.complete_all()})


def remove_session(context: Context, call: Call) -> Content:
    """Remove a session, as if it had never been there."""
    try:
        context.control.remove_session(call.path["studioId"], call.path["sessionId"])
    except ValueError as error:
        raise _not_found(call) from error
    return no_content()


def _find(context: Context, call: Call) -> dict[str, object]:
    document = context.control.session_document(call.path["studioId"], call.path["sessionId"])
    if document is None:
        raise _not_found(call)
    return document


def _not_found(call: Call) -> Problem:
    return Problem(
        404, f"Studio {call.path['studioId']!r} has no session {call.path['sessionId']!r}."
    )


def _explain(error: Exception, call: Call) -> str:
    """Write an error's message with the names of members that stand in the body."""
    message = _ARGUMENT.sub(lambda found: member_name(found[0]), str(error))
    if not isinstance(call.body, list):
        message = message.removeprefix("sessions[0]: ")
    return message if message.endswith("?") else f"{message}."


_LARGE_BODY: Final = 64 * 1024 * 1024
_SESSIONS: Final = object_schema({"sessions": array(reference("Session"))})

ROUTES: Final = (
    Route(
        method="GET",
        path="/sessions",
        name="listSessions",
        summary="All sessions, deleted ones too, in the order of creation",
        parameters=(
            Parameter("studioId", "Only sessions of this studio."),
            Parameter("state", "Only sessions in this state."),
        ),
        action=list_sessions,
        returns=_SESSIONS,
    ),
    Route(
        method="POST",
        path="/sessions",
        name="addSessions",
        summary="Add one session, or a list of them",
        description="Of a list all are added or none. What is not given has a default.",
        action=add_sessions,
        body=one_or_list("NewSession"),
        max_body_bytes=_LARGE_BODY,
        status=201,
        returns={"oneOf": [reference("Session"), _SESSIONS]},
        errors=(409,),
    ),
    Route(
        method="POST",
        path="/sessions/complete",
        name="completeSessions",
        summary="Complete the transitions of all sessions, now",
        action=complete_sessions,
        returns=object_schema({"completed": described(COUNT_OR_ZERO, "How many there were.")}),
    ),
    Route(
        method="GET",
        path="/sessions/{studioId}/{sessionId}",
        name="getSession",
        summary="One session",
        action=get_session,
        returns=reference("Session"),
        errors=(404,),
    ),
    Route(
        method="DELETE",
        path="/sessions/{studioId}/{sessionId}",
        name="removeSession",
        summary="Remove a session, as if it had never been there",
        action=remove_session,
        status=204,
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/sessions/{studioId}/{sessionId}/complete",
        name="completeSession",
        summary="Complete the transition that a session is in, now",
        action=complete_session,
        returns=reference("Session"),
        errors=(404, 409),
    ),
)
"""The routes, in the order of the document."""
