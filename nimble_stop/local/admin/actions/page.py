"""What the admin API serves to everybody: the live page, the health, and the login."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from nimble_stop._version import __version__
from nimble_stop.local.admin.actions.page_files import INDEX, read_page_file
from nimble_stop.local.admin.inputs import check_members
from nimble_stop.local.admin.openapi.schemas import object_schema, reference
from nimble_stop.local.admin.replies import Content, Problem, json_reply, no_content
from nimble_stop.local.admin.routing import Route

if TYPE_CHECKING:
    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.routing import Call

__all__ = ["ROUTES"]


def get_index(_: Context, __: Call) -> Content:
    """Read the live page."""
    return read_page_file(INDEX)


def get_page_file(_: Context, call: Call) -> Content:
    """Read a file of the live page."""
    return read_page_file(call.path["name"])


def get_health(context: Context, _: Call) -> Content:
    """Say that it serves, and whether the store answers; never waits for it."""
    return json_reply(
        {
            "status": "ok",
            "name": "nimble-stop",
            "version": __version__,
            "uptimeSeconds": round(time.monotonic() - context.started, 3),
            "store": context.control.store_status,
        }
    )


def log_in(context: Context, call: Call) -> Content:
    """Give a browser a cookie for the token."""
    token = check_members(call.body, ("token",)).get("token")
    if not isinstance(token, str):
        raise Problem(400, "token must be a string.")
    return no_content(context.access.log_in(token, context.port))


def log_out(context: Context, _: Call) -> Content:
    """Take a browser's cookie away."""
    return no_content(context.access.log_out(context.port))


ROUTES: Final = (
    Route(
        method="GET",
        path="/",
        name="getPage",
        summary="The live page",
        action=get_index,
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
        action=get_page_file,
        returns={"type": "string"},
        media_type="text/*",
        errors=(404,),
        is_public=True,
        may_wait=False,
    ),
    Route(
        method="GET",
        path="/health",
        name="getHealth",
        summary="Whether the endpoint serves",
        description="Answers at once, also while the store is busy.",
        action=get_health,
        returns=reference("Health"),
        is_public=True,
        may_wait=False,
    ),
    Route(
        method="POST",
        path="/login",
        name="logIn",
        summary="Get the cookie that a browser uses in place of the admin token",
        description=(
            "For the live page: a browser cannot send the token with an `EventSource`, and an "
            "address with a token ends up in logs. Scripts send `Authorization: Bearer TOKEN`."
        ),
        action=log_in,
        body=object_schema({"token": {"type": "string"}}),
        status=204,
        errors=(401,),
        is_public=True,
        may_wait=False,
    ),
    Route(
        method="DELETE",
        path="/login",
        name="logOut",
        summary="Take the cookie away",
        action=log_out,
        status=204,
        is_public=True,
        may_wait=False,
    ),
)
"""The routes, in the order of the document."""
