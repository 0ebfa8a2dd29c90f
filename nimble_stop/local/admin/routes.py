"""What the admin API shows: the live page, the health, the journal and the events.

The one table of all routes stands here too.
"""

from __future__ import annotations

import sqlite3
import time
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from nimble_stop._version import __version__
from nimble_stop.local.admin import state_routes
from nimble_stop.local.admin.event_stream import EVENT_STREAM, EventStream
from nimble_stop.local.admin.openapi import openapi_document
from nimble_stop.local.admin.replies import Problem
from nimble_stop.local.admin.routing import Context, Route, check_members
from nimble_stop.local.admin.schemas import (
    COUNT_OR_ZERO,
    Count,
    CountOrZero,
    array,
    described,
    object_schema,
    reference,
)
from nimble_stop.local.api.answer import Answer
from nimble_stop.local.storage.busy import StoreBusyError

_READERS: Final = 100
_FOLDER: Final = files("nimble_stop.local.web") / "page"
# Nothing else in the folder can get out.
_MEDIA_TYPES: Final = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
    }
)


def get_page(context: Context) -> Answer:
    """Read the live page."""
    return get_page_file(context, "index.html")


def get_page_file(_: Context, name: str) -> Answer:
    """Read a file of the live page."""
    # The name is compared with what is there and never joined to a path.
    entries = {
        entry.name: entry
        for entry in _FOLDER.iterdir()
        if PurePosixPath(entry.name).suffix in _MEDIA_TYPES
    }
    if name not in entries:
        names = ", ".join(sorted(entries))
        raise Problem(404, f"The page has no file {name!r}; it has {names}.")
    headers = {"Content-Type": _MEDIA_TYPES[PurePosixPath(name).suffix]}
    return Answer(status=200, body=entries[name].read_bytes(), headers=headers)


def get_health(context: Context) -> dict[str, object]:
    """Say whether the endpoint serves.

    Answers at once, also while the store is busy.
    """
    status = "ok"
    try:
        with context.store.transaction():
            pass
    except StoreBusyError:
        status = "busy"
    except sqlite3.Error:
        status = "failed"
    return {
        "status": "ok",
        "name": "nimble-stop",
        "version": __version__,
        "uptimeSeconds": round(time.monotonic() - context.started, 3),
        "store": status,
    }


def log_in(context: Context, body: object) -> Answer:
    """Get the cookie that a browser uses in place of the admin token.

    For the live page: a browser cannot send the token with an `EventSource`, and an address with a
    token ends up in logs. Scripts send `Authorization: Bearer TOKEN`.
    """
    token = check_members(body, ("token",)).get("token")
    if not isinstance(token, str):
        raise Problem(400, "token must be a string.")
    return Answer(status=204, body=b"", headers=context.access.log_in(token))


def log_out(context: Context) -> Answer:
    """Take the cookie away."""
    return Answer(status=204, body=b"", headers=context.access.log_out())


def list_requests(
    context: Context,
    *,
    operation: str | None = None,
    studio_id: str | None = None,
    session_id: str | None = None,
    status: Count | None = None,
    error_code: str | None = None,
    after: CountOrZero | None = None,
    limit: Count | None = None,
) -> dict[str, object]:
    """List the requests that came in, oldest first.

    The journal of the requests to AWS's API; those to the admin API are not in it.

    Args:
        context: The endpoint.
        operation: Only requests for this operation.
        studio_id: Only requests for this studio.
        session_id: Only requests for this session.
        status: Only requests that were answered with this status.
        error_code: Only requests answered with this error code.
        after: Only requests with a greater number.
        limit: How many at most: of those after `after` the first ones, without it the newest.
    """
    journal = context.control.requests
    records = journal[:]
    found = [
        record
        for record in records
        if record.number > (after or 0)
        and operation in {None, record.operation}
        and studio_id in {None, record.studio_id}
        and session_id in {None, record.session_id}
        and status in {None, record.status}
        and error_code in {None, record.error_code}
    ]
    if limit is not None:
        found = found[-limit:] if after is None else found[:limit]
    return {
        "requests": [record.to_dict() for record in found],
        "lastNumber": records[-1].number if records else after or 0,
        "dropped": journal.dropped,
    }


def clear_requests(context: Context) -> None:
    """Clear the journal; its numbers go on."""
    context.control.requests.clear()


def read_events(
    context: Context, after: CountOrZero | None = None, last_event_id: CountOrZero | None = None
) -> Answer:
    """Send what changes and what comes in, as server-sent events.

    Each event has an `id`, an `event` and JSON as `data`:

    - `sessions`: `{"sessions": [...]}`, the sessions that changed, whole. One that was removed has
      the `state` null. The list is null when many changed at once, and all are to be read again.
    - `request`: a request that came in, as `GET requests` lists it.
    - `cleared`: `{}`, the journal was cleared.
    - `faults`: `{"faults": [...]}`, all faults in force, as `GET faults` lists them.
    - `clock`: the clock, as `GET clock` answers it.
    - `reset`: `{}`, everything was reset or imported, and is to be read again.
    - `resync`: `{}`, some events are lost, because the reader was away for too long or is too
      slow; everything is to be read again.

    Comments keep the connection alive. A reader that takes nothing for half a minute is
    disconnected. To miss nothing, open the stream first and read the state then.

    Args:
        context: The endpoint.
        after: The number of the last event seen: those after it are sent first. 0 asks for all
            since the endpoint began. Without it the stream begins with the next event.
        last_event_id: The same, as browsers send it; it goes before `after`.
    """
    if context.readers >= _READERS:
        raise Problem(503, f"{_READERS} readers follow the events already; close some.")
    events = EventStream(context, after if last_event_id is None else last_event_id)
    headers = {"Content-Type": EVENT_STREAM}
    return Answer(status=200, body=b"", headers=headers, delivery=events)


def get_open_api(_: Context) -> dict[str, object]:
    """Describe the admin API: this document."""
    return _document()


@cache
def _document() -> dict[str, object]:
    return openapi_document(ROUTES)


_REQUESTS: Final = object_schema(
    {
        "requests": array(reference("Request")),
        "lastNumber": described(COUNT_OR_ZERO, "The number of the newest request."),
        "dropped": described(COUNT_OR_ZERO, "How many are gone because the journal is full."),
    }
)
_LOGIN: Final = object_schema({"token": {"type": "string"}})

ROUTES: Final = (
    Route("GET", "/", get_page, returns="text/html", is_public=True),
    Route("GET", "/page/{name}", get_page_file, returns="text/*", errors=(404,), is_public=True),
    Route("GET", "/health", get_health, returns=reference("Health"), is_public=True),
    Route("POST", "/login", log_in, body=_LOGIN, errors=(401,), is_public=True),
    Route("DELETE", "/login", log_out, is_public=True),
    Route("GET", "/openapi.json", get_open_api, returns={"type": "object"}, is_public=True),
    *state_routes.ROUTES,
    Route("GET", "/requests", list_requests, returns=_REQUESTS),
    Route("DELETE", "/requests", clear_requests, may_wait=False),
    Route("GET", "/events", read_events, returns=EVENT_STREAM, errors=(503,), may_wait=False),
)
"""All routes, in the order of the document."""
