from __future__ import annotations

from typing import TYPE_CHECKING

from tests.local.support import send

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble


def test_health_needs_no_signature(local: LocalNimble) -> None:
    """Whether it serves can be asked by anybody, and is not a request of the journal's."""
    reply = send(local, "GET", "/_nimble-stop/health", body=None, headers={})
    assert (reply.status, reply.json["status"]) == (200, "ok")
    assert len(local.requests) == 0


def test_an_unknown_path(local: LocalNimble) -> None:
    """What the admin API does not have is a JSON error that says what it has."""
    reply = send(local, "GET", "/_nimble-stop/helth", body=None, headers={})
    assert reply.status == 404
    assert "health" in reply.json["message"]
