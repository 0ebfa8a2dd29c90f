"""What the admin API does to sessions."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from nimble_stop.local.admin.components import SESSION_MEMBERS
from nimble_stop.local.admin.inputs import check_members, read_objects
from nimble_stop.local.admin.replies import Content, Problem, json_reply
from nimble_stop.local.admin.routing import PREFIX
from nimble_stop.models import StreamingSession, member_name

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call

__all__ = ["add_sessions", "complete_session", "get_session", "list_sessions"]

_ARGUMENT: Final = re.compile(r"[a-z]+(?:_[a-z0-9]+)+")


def list_sessions(context: Context, call: Call) -> Content:
    """List all sessions, deleted ones too, in the order of creation."""
    wanted = call.parameters
    sessions = [
        _document(studio_id, session)
        for (studio_id, _), session in context.control.sessions.items()
        if wanted.get("studioId", studio_id) == studio_id
        and wanted.get("state", session.state) == session.state
    ]
    return json_reply({"sessions": sessions})


def add_sessions(context: Context, call: Call) -> Content:
    """Add one session or several."""
    documents = read_objects(call.body)
    added: list[dict[str, object]] = []
    for document in documents:
        check_members(document, SESSION_MEMBERS)
        added.append(_add(context, dict(document)))
    if isinstance(call.body, list):
        return json_reply({"sessions": added}, HTTPStatus.CREATED)
    (session,) = added
    place = "/".join(quote(str(session[name]), safe="") for name in ("studioId", "sessionId"))
    return json_reply(session, HTTPStatus.CREATED, {"Location": f"{PREFIX}/sessions/{place}"})


def _add(context: Context, members: dict[str, object]) -> dict[str, object]:
    studio_id, session_id = members.pop("studioId", None), members.pop("sessionId", None)
    state = members.pop("state", None)
    if (studio_id, session_id) in context.control.sessions:
        raise Problem(409, f"Studio {studio_id!r} has a session {session_id!r} already.")
    try:
        session = context.control.add_session(
            studio_id=studio_id,  # type: ignore[arg-type]
            session_id=session_id,  # type: ignore[arg-type]
            state="READY" if state is None else state,  # type: ignore[arg-type]
            **members,
        )
    except (TypeError, ValueError) as error:
        raise Problem(400, f"{_with_wire_names(str(error))}.") from error
    return _document(str(studio_id), session)


def get_session(context: Context, call: Call) -> Content:
    """Read one session."""
    return json_reply(_find(context, call))


def complete_session(context: Context, call: Call) -> Content:
    """Complete the transition that a session is in."""
    session = _find(context, call)
    try:
        context.control.complete(call.path["studioId"], call.path["sessionId"])
    except ValueError:
        raise Problem(
            409, f"The session is in {session['state']}, which is no transition."
        ) from None
    return json_reply(_find(context, call))


def _find(context: Context, call: Call) -> dict[str, object]:
    studio_id, session_id = call.path["studioId"], call.path["sessionId"]
    try:
        session = context.control.sessions[studio_id, session_id]
    except KeyError:
        raise Problem(404, f"Studio {studio_id!r} has no session {session_id!r}.") from None
    return _document(studio_id, session)


def _document(studio_id: str, session: StreamingSession) -> dict[str, object]:
    return {"studioId": studio_id, **session.to_dict()}


def _with_wire_names(message: str) -> str:
    """Replace the names that members have in Python by those that they have here."""
    return _ARGUMENT.sub(lambda found: member_name(found[0]), message)
