"""The routes of the admin API: the one table that is dispatched and documented."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from nimble_stop.local.admin.actions import events, faults, page, requests, sessions, state
from nimble_stop.local.admin.openapi.document import openapi_document
from nimble_stop.local.admin.replies import Content, json_reply
from nimble_stop.local.admin.routing import Route

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call

__all__ = ["ROUTES"]


def _get_openapi(_: Context, __: Call) -> Content:
    return json_reply(_document())


@cache
def _document() -> dict[str, object]:
    return openapi_document(ROUTES)


_OPENAPI: Final = Route(
    method="GET",
    path="/openapi.json",
    name="getOpenApi",
    summary="This document",
    action=_get_openapi,
    returns={"type": "object"},
    is_public=True,
    may_wait=False,
)

ROUTES: Final = (
    *page.ROUTES,
    _OPENAPI,
    *sessions.ROUTES,
    *faults.ROUTES,
    *requests.ROUTES,
    *events.ROUTES,
    *state.ROUTES,
)
"""All routes."""
