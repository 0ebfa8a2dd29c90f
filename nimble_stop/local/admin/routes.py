"""What the admin API serves to everybody, and the one table of all its routes."""

from __future__ import annotations

import time
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from nimble_stop._version import __version__
from nimble_stop.local.admin import journal_routes, session_routes
from nimble_stop.local.admin.inputs import check_members
from nimble_stop.local.admin.openapi import openapi_document
from nimble_stop.local.admin.replies import Content, Problem
from nimble_stop.local.admin.routing import Context, Route
from nimble_stop.local.admin.schemas import object_schema, reference

__all__ = ["ROUTES"]

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


def get_page(context: Context) -> Content:
    """Read the live page."""
    return get_page_file(context, "index.html")


def get_page_file(_: Context, name: str) -> Content:
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
    return Content(content=entries[name].read_bytes(), headers=headers)


def get_health(context: Context) -> dict[str, object]:
    """Say whether the endpoint serves.

    Answers at once, also while the store is busy.
    """
    return {
        "status": "ok",
        "name": "nimble-stop",
        "version": __version__,
        "uptimeSeconds": round(time.monotonic() - context.started, 3),
        "store": context.control.store_status,
    }


def log_in(context: Context, body: object) -> Content:
    """Get the cookie that a browser uses in place of the admin token.

    For the live page: a browser cannot send the token with an `EventSource`, and an address with a
    token ends up in logs. Scripts send `Authorization: Bearer TOKEN`.
    """
    token = check_members(body, ("token",)).get("token")
    if not isinstance(token, str):
        raise Problem(400, "token must be a string.")
    return Content(status=204, headers=context.access.log_in(token))


def log_out(context: Context) -> Content:
    """Take the cookie away."""
    return Content(status=204, headers=context.access.log_out())


def get_open_api(_: Context) -> dict[str, object]:
    """Describe the admin API: this document."""
    return _document()


@cache
def _document() -> dict[str, object]:
    return openapi_document(ROUTES)


_LOGIN: Final = object_schema({"token": {"type": "string"}})

ROUTES: Final = (
    Route("GET", "/", get_page, returns="text/html", is_public=True),
    Route("GET", "/page/{name}", get_page_file, returns="text/*", errors=(404,), is_public=True),
    Route("GET", "/health", get_health, returns=reference("Health"), is_public=True),
    Route("POST", "/login", log_in, body=_LOGIN, errors=(401,), is_public=True),
    Route("DELETE", "/login", log_out, is_public=True),
    Route("GET", "/openapi.json", get_open_api, returns={"type": "object"}, is_public=True),
    *session_routes.ROUTES,
    *journal_routes.ROUTES,
)
"""All routes, in the order of the document."""
