from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import LocalNimble
from nimble_stop.local.web.hosting import Hosting
from tests.local.support import get

if TYPE_CHECKING:
    from pathlib import Path


def test_the_port_is_taken_before_it_serves(tmp_path: Path) -> None:
    """Between opening and serving, connections are accepted by the system and wait."""
    hosting = Hosting(str(tmp_path / "studio.db"), "127.0.0.1", 0)
    try:
        assert not hosting.is_serving
        with socket.create_connection(("127.0.0.1", hosting.port)):
            pass
        with pytest.raises(ConfigurationError, match=str(hosting.port)):
            Hosting(":memory:", "127.0.0.1", hosting.port)
    finally:
        hosting.close()


def test_closing_lets_go_of_everything(tmp_path: Path) -> None:
    """Store and port can be used again as soon as it is closed."""
    db = str(tmp_path / "studio.db")
    first = Hosting(db, "127.0.0.1", 0)
    first.close()
    second = Hosting(db, "127.0.0.1", first.port)
    assert second.port == first.port
    second.close()


def test_an_address_that_is_taken_leaves_the_store_closed(tmp_path: Path) -> None:
    """Where it cannot listen, nothing is left open."""
    db = str(tmp_path / "studio.db")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigurationError):
        Hosting(db, "127.0.0.1", taken.getsockname()[1])
    (tmp_path / "studio.db").rename(tmp_path / "moved.db")
    assert not (tmp_path / "studio.db-wal").exists()


def test_serving(tmp_path: Path) -> None:
    """Once it serves, requests are answered out of the store."""
    with LocalNimble(db=str(tmp_path / "studio.db")) as local:
        assert local._running.is_serving
        local.add_session(studio_id="s", session_id="x")
        assert get(local, "s", "x").status == 200
