from __future__ import annotations

from typing import TYPE_CHECKING

from tests.local.admin.support import ask
from tests.local.support import send

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble


def test_health_needs_no_signature(local: LocalNimble) -> None:
    """Whether it serves can be asked by anybody, and is not a request of the journal's."""
    assert ask(local, "GET", "/health").json["status"] == "ok"
    assert len(local.requests) == 0


def test_an_unknown_path(local: LocalNimble) -> None:
    """What the admin API does not have is a JSON error that says what it has."""
    reply = send(local, "GET", "/_nimble-stop/helth", body=None, headers={})
    assert reply.status == 404
    assert "health" in reply.json["message"]


def test_the_page(local: LocalNimble) -> None:
    """The page is served under the prefix itself, and again only when it has changed."""
    page = ask(local, "GET", "/")
    assert page.body.startswith(b"<!DOCTYPE html>")
    again = send(
        local,
        "GET",
        "/_nimble-stop/page/index.html",
        body=None,
        headers={"If-None-Match": page.headers["etag"]},
    )
    assert (again.status, again.body) == (304, b"")
