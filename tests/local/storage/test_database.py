from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.storage import database
from nimble_stop.local.storage.database import open_database

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_made_and_found_again(tmp_path: Path) -> None:
    """What was stored in a new file is there when it is opened again."""
    path = str(tmp_path / "x.db")
    with closing(open_database(path)) as first:
        (secret,) = first.execute("SELECT value FROM secret").fetchone()
    with closing(open_database(path)) as second:
        assert second.execute("SELECT value FROM secret").fetchone() == (secret,)
        assert second.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert second.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_file_can_be_told_by_its_mark(tmp_path: Path) -> None:
    """SQLite's header has our mark, which other programs (and `file`) can show."""
    path = tmp_path / "x.db"
    open_database(str(path)).close()
    assert path.read_bytes()[68:72] == b"nmbl"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """Another kind of file is refused and left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("something else, " * 100)
    with pytest.raises(ConfigurationError, match=r"notes\.txt.*not a database"):
        open_database(str(path))
    assert path.read_text() == "something else, " * 100


def test_the_database_of_another_program(tmp_path: Path) -> None:
    """A database with other tables, or another program's mark, is refused."""
    path = str(tmp_path / "other.db")
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(ConfigurationError, match="another program"):
        open_database(path)
    marked = str(tmp_path / "marked.db")
    with closing(sqlite3.connect(marked)) as other:
        other.execute("PRAGMA application_id=5")
    with pytest.raises(ConfigurationError, match="another program"):
        open_database(marked)


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    """A path that cannot be opened is one clear error."""
    with pytest.raises(ConfigurationError, match="cannot be used: unable to open"):
        open_database(str(tmp_path / "none" / "x.db"))


def test_a_locked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another process does not let go of is one clear error, after some patience."""
    path = str(tmp_path / "x.db")
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ConfigurationError, match="locked"):
            open_database(path)


def test_a_file_that_is_let_go_of(tmp_path: Path) -> None:
    """While another process reads, opening a new file waits for it."""
    path = str(tmp_path / "x.db")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("PRAGMA user_version=1")
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        release = threading.Timer(0.1, other.execute, ("COMMIT",))
        release.start()
        open_database(path).close()
        release.join()


def test_a_file_that_is_not_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some patience that is one clear error."""
    path = str(tmp_path / "x.db")
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA user_version=1")
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        with pytest.raises(ConfigurationError, match="locked"):
            open_database(path)


def test_switching_is_tried_again() -> None:
    """SQLite refuses at once when two processes switch to WAL together; the second try succeeds."""
    busy = mock.create_autospec(sqlite3.Connection, instance=True)
    busy.execute.side_effect = [sqlite3.OperationalError("database is locked"), None]
    database._switch_to_wal(busy)
    assert busy.execute.call_count == 2


def test_many_processes_can_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Whoever comes first makes the tables, and the others find them."""
    program = (
        "import sys; from nimble_stop.local.storage import database; "
        "database.open_database(sys.argv[1])"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "x.db")]) for _ in range(4)
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
