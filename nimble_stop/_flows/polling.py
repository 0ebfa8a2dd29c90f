"""Looking at many sessions at once: by pages, rather than by asking for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from nimble_stop._api.request import get_request
from nimble_stop._flows.pages import Pages
from nimble_stop.exceptions import NimbleStopError

if TYPE_CHECKING:
    from nimble_stop._call.engine import Engine
    from nimble_stop._call.steps import Steps
    from nimble_stop.models import StreamingSession


@attrs.frozen(eq=False)
class Looked:
    """What came of a look.

    Args:
        sessions: The sessions that were read, by id.
        errors: Why others were not, by id.
        failure: What no session can be read for; None also when the reason passes.
    """

    sessions: dict[str, StreamingSession]
    errors: dict[str, NimbleStopError]
    failure: NimbleStopError | None


def look_at_sessions(engine: Engine, studio_id: str, session_ids: tuple[str, ...]) -> Steps[Looked]:
    """Read sessions; a failure that can pass leaves out those that were not read yet."""
    sessions: dict[str, StreamingSession] = {}
    try:
        yield from _look_at_pages(engine, studio_id, session_ids, sessions)
        errors = yield from _look_at_others(engine, studio_id, session_ids, sessions)
    except NimbleStopError as error:
        return Looked(sessions, {}, None if error.retryable else error)
    return Looked(sessions, errors, None)


def _look_at_pages(
    engine: Engine,
    studio_id: str,
    session_ids: tuple[str, ...],
    sessions: dict[str, StreamingSession],
) -> Steps[None]:
    # Commas separate the ids in a list request, so an id with one cannot be asked for there.
    listable = [session_id for session_id in session_ids if "," not in session_id]
    if not listable:
        return
    pages = Pages(
        engine, studio_id, owned_by=None, created_by=None, session_ids=listable, deadline=None
    )
    while not pages.exhausted:
        for session in (yield from pages.next_page()):
            if session.session_id is not None:
                sessions[session.session_id] = session


def _look_at_others(
    engine: Engine,
    studio_id: str,
    session_ids: tuple[str, ...],
    sessions: dict[str, StreamingSession],
) -> Steps[dict[str, NimbleStopError]]:
    """Ask for each session that no page held: a deleted one is not listed."""
    errors: dict[str, NimbleStopError] = {}
    for session_id in session_ids:
        if session_id in sessions:
            continue
        try:
            sessions[session_id] = yield from engine.call(
                get_request(studio_id, session_id), engine.deadline()
            )
        except NimbleStopError as error:
            if error.retryable:
                raise
            errors[session_id] = error
    return errors
