"""What the admin API steers: sessions, faults, the clock, and the state as a whole."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.replies import INPUT_ERRORS, Problem, json_answer, wrong_input
from nimble_stop.local.admin.routing import Context, Route, check_members, read_objects
from nimble_stop.local.admin.schemas import (
    COUNT_OR_ZERO,
    Count,
    array,
    described,
    fields_schema,
    object_schema,
    one_or_list,
    reference,
)
from nimble_stop.local.api.answer import Answer  # noqa: TC001  # the annotations are read
from nimble_stop.local.faults.fault_file import describe_rule, read_rule
from nimble_stop.local.studio.document import SessionExistsError, describe_clock
from nimble_stop.models import StreamingSession

_MEMBERS: Final = ("studioId", *fields_schema(StreamingSession, with_null=False), "transition")


def list_sessions(
    context: Context, studio_id: str | None = None, state: str | None = None
) -> dict[str, object]:
    """List all sessions, deleted ones too, in the order of creation.

    Args:
        context: The endpoint.
        studio_id: Only sessions of this studio.
        state: Only sessions in this state.
    """
    sessions = [
        session
        for session in context.control.session_documents()
        if studio_id in {None, session["studioId"]} and state in {None, session["state"]}
    ]
    return {"sessions": sessions}


def add_sessions(context: Context, body: object) -> dict[str, object] | Answer:
    """Add one session, or a list of them.

    Of a list all are added or none. What is not given has a default.
    """
    documents = read_objects(body)
    for document in documents:
        check_members(document, _MEMBERS)
    try:
        added = context.control.add_session_documents(documents)
    except INPUT_ERRORS as error:
        problem = wrong_input(error, 409 if isinstance(error, SessionExistsError) else 400)
        if not isinstance(body, list):
            problem.message = problem.message.removeprefix("sessions[0]: ")
        raise problem from error
    if isinstance(body, list):
        return {"sessions": added}
    (session,) = added
    place = "/".join(quote(str(session[name]), safe="") for name in ("studioId", "sessionId"))
    location = {"Location": f"{PREFIX}/sessions/{place}"}
    return json_answer(session, HTTPStatus.CREATED, location)


def complete_sessions(context: Context) -> dict[str, object]:
    """Complete the transitions of all sessions, now."""
    return {"completed": context.control.complete_all()}


def get_session(context: Context, studio_id: str, session_id: str) -> dict[str, object]:
    """Read one session."""
    document = context.control.session_document(studio_id, session_id)
    if document is None:
        raise _not_found(studio_id, session_id)
    return document


def remove_session(context: Context, studio_id: str, session_id: str) -> None:
    """Remove a session, as if it had never been there."""
    try:
        context.control.remove_session(studio_id, session_id)
    except ValueError as error:
        raise _not_found(studio_id, session_id) from error


def complete_session(context: Context, studio_id: str, session_id: str) -> dict[str, object]:
    """Complete the transition that a session is in, now."""
    state = get_session(context, studio_id, session_id)["state"]
    try:
        context.control.complete(studio_id, session_id)
    except ValueError as error:
        message = f"The session is in {state}, which is no state of transition."
        raise Problem(409, message) from error
    return get_session(context, studio_id, session_id)


def _not_found(studio_id: str, session_id: str) -> Problem:
    return Problem(404, f"Studio {studio_id!r} has no session {session_id!r}.")


def list_faults(context: Context) -> dict[str, object]:
    """List the faults in force, in the order in which they were added."""
    return {"faults": [describe_rule(rule) for rule in context.control.faults]}


def add_faults(context: Context, body: object) -> dict[str, object]:
    """Let something go wrong: one fault, or a list of them.

    The objects are those of a fault file, `nimble-stop serve --faults FILE`.
    """
    is_list = isinstance(body, list)
    try:
        rules = [
            read_rule(entry, f"[{index}]" if is_list else "fault")
            for index, entry in enumerate(read_objects(body))
        ]
    except INPUT_ERRORS as error:
        raise wrong_input(error) from error
    context.control.inject_rules(rules)
    documents = [describe_rule(rule) for rule in rules]
    return {"faults": documents} if is_list else documents[0]


def clear_faults(context: Context) -> None:
    """Take all faults out of force."""
    context.control.clear_faults()


def remove_fault(context: Context, id: Count) -> None:  # noqa: A002  # the variable of the path
    """Take one fault out of force."""
    try:
        context.control.remove_fault(id)
    except ValueError as error:
        ids = ", ".join(str(rule.id) for rule in context.control.faults) or "none"
        raise Problem(404, f"There is no fault {id}. In force: {ids}.") from error


def get_clock(context: Context) -> dict[str, object]:
    """Read the sessions' time."""
    return context.store.use(describe_clock)


def advance_clock(context: Context, body: object) -> dict[str, object]:
    """Let time pass for the sessions.

    Signatures and the `Date` header do not notice.
    """
    seconds = check_members(body, ("advance",)).get("advance")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise Problem(400, f"advance must be a number of seconds, not {seconds!r}.")
    try:
        context.control.advance(float(seconds))
    except OverflowError as error:
        raise Problem(400, "advance is more seconds than there are until the year 9999.") from error
    except ValueError as error:
        raise wrong_input(error) from error
    return get_clock(context)


def export_state(context: Context) -> dict[str, object]:
    """Export the sessions, the clock and the faults as one document.

    `PUT` and `nimble-stop serve --seed FILE` take it.
    """
    return context.control.export()


def import_state(context: Context, body: dict[str, object]) -> None:
    """Replace the sessions, the clock and the faults.

    What the document does not hold is empty afterwards. Client tokens are forgotten, the journal
    stays. Nothing is changed when something in it is wrong.
    """
    try:
        context.control.import_(body)
    except INPUT_ERRORS as error:
        raise wrong_input(error) from error


def reset_state(context: Context) -> None:
    """Forget everything: sessions, client tokens, faults, journal, the time skipped."""
    context.control.reset()


_LARGE_BODY: Final = 64 * 1024 * 1024
_ONE: Final = "/sessions/{studioId}/{sessionId}"
_SESSION: Final = reference("Session")
_SESSIONS: Final = object_schema({"sessions": array(_SESSION)})
_FAULTS: Final = object_schema({"faults": array(reference("FaultInForce"))})
_CLOCK: Final = reference("Clock")
_STATE: Final = reference("State")
_COMPLETED: Final = object_schema({"completed": described(COUNT_OR_ZERO, "How many there were.")})
_ADVANCE: Final = object_schema(
    {"advance": {"type": "number", "minimum": 0, "description": "How many seconds."}}
)

ROUTES: Final = (
    Route("GET", "/sessions", list_sessions, returns=_SESSIONS),
    Route(
        "POST",
        "/sessions",
        add_sessions,
        body=one_or_list("NewSession"),
        max_body_bytes=_LARGE_BODY,
        status=201,
        returns={"oneOf": [_SESSION, _SESSIONS]},
        errors=(409,),
    ),
    Route("POST", "/sessions/complete", complete_sessions, returns=_COMPLETED),
    Route("GET", _ONE, get_session, returns=_SESSION, errors=(404,)),
    Route("DELETE", _ONE, remove_session, errors=(404,)),
    Route("POST", f"{_ONE}/complete", complete_session, returns=_SESSION, errors=(404, 409)),
    Route("GET", "/faults", list_faults, returns=_FAULTS, may_wait=False),
    Route(
        "POST",
        "/faults",
        add_faults,
        body=one_or_list("Fault"),
        status=201,
        returns={"oneOf": [reference("FaultInForce"), _FAULTS]},
        may_wait=False,
    ),
    Route("DELETE", "/faults", clear_faults, may_wait=False),
    Route("DELETE", "/faults/{id}", remove_fault, errors=(404,), may_wait=False),
    Route("GET", "/clock", get_clock, returns=_CLOCK),
    Route("POST", "/clock", advance_clock, body=_ADVANCE, returns=_CLOCK),
    Route("GET", "/state", export_state, returns=_STATE),
    Route("PUT", "/state", import_state, body=_STATE, max_body_bytes=_LARGE_BODY),
    Route("DELETE", "/state", reset_state),
)
"""The routes, in the order of the document."""
