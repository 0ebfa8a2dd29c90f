from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from nimble_stop import __version__
from nimble_stop.local import LocalNimble
from nimble_stop.local.storage import busy
from tests.local.admin.support import ask
from tests.local.support import get

if TYPE_CHECKING:
    from pathlib import Path


def test_health(local: LocalNimble) -> None:
    """It says what serves, since when, and that the store answers."""
    health = ask(local, "GET", "/health").json
    assert health == {
        "status": "ok",
        "name": "nimble-stop",
        "version": __version__,
        "uptimeSeconds": health["uptimeSeconds"],
        "store": "ok",
    }


def test_health_while_the_store_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes, health is answered at once and says so."""
    # Longer than the client waits for an answer.
    monkeypatch.setattr(busy, "BUSY_SECONDS", 60)
    path = tmp_path / "store"
    with LocalNimble(db=str(path)) as local:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            health = ask(local, "GET", "/health")
            other.execute("ROLLBACK")
        assert health.json["store"] == "busy"
        assert ask(local, "GET", "/health").json["store"] == "ok"


def test_health_of_a_broken_store(local: LocalNimble) -> None:
    """A store that cannot be used any more is no reason not to answer, nor not to close."""
    local._store.close()
    assert ask(local, "GET", "/health").json["store"] == "failed"


def test_the_page_and_its_files(local: LocalNimble) -> None:
    """The page is a file, which comes with its type."""
    page = ask(local, "GET", "/")
    assert page.body.startswith(b"<!DOCTYPE html>")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert ask(local, "GET", "/page/index.html").body == page.body


@pytest.mark.parametrize("name", ["no.css", "..%2Fadmin.py", "__init__.py", "index.html%2F"])
def test_nothing_else_is_served(local: LocalNimble, name: str) -> None:
    """A name that is no file of the page is refused, and the answer names those that are."""
    reply = ask(local, "GET", f"/page/{name}")
    assert reply.status == 404
    assert "index.html" in reply.json["message"]


def test_logging_in() -> None:
    """The page gets a cookie for the token, and loses it again."""
    with LocalNimble(admin_token="a-token") as local:
        assert ask(local, "GET", "/sessions").status == 401
        assert ask(local, "POST", "/login", {"token": "b-token"}).status == 401
        assert ask(local, "POST", "/login", {"token": 7}).status == 400
        cookie = ask(local, "POST", "/login", {"token": "a-token"}).headers["set-cookie"]
        headers = {"Cookie": cookie.partition(";")[0]}
        assert ask(local, "GET", "/sessions", headers=headers).status == 200
        assert "Max-Age=0" in ask(local, "DELETE", "/login").headers["set-cookie"]


def test_a_token_guards_all_but_the_page() -> None:
    """Without the token there is the page, its document and its health, and AWS's API."""
    with LocalNimble(admin_token="a-token") as local:
        for path in ("/", "/health", "/openapi.json", "/page/index.html"):
            assert ask(local, "GET", path).status == 200
        for path in ("/sessions", "/faults", "/requests", "/clock", "/state", "/events"):
            assert ask(local, "GET", path).status == 401
        for path in ("/state", "/faults", "/requests", "/faults/1", "/sessions/s/x"):
            assert ask(local, "DELETE", path).status == 401
        assert get(local, "s", "x").status == 404
        headers = {"Authorization": "Bearer a-token"}
        assert ask(local, "GET", "/state", headers=headers).status == 200
