from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.storage import busy
from nimble_stop.local.storage.database import SCHEMA_VERSION, open_database
from nimble_stop.local.storage.tables import Tables
from tests.local.support import stored_session

if TYPE_CHECKING:
    from pathlib import Path


def read(database: sqlite3.Connection, query: str) -> object:
    """Read one value."""
    return database.execute(query).fetchone()[0]


def test_a_file_is_made_and_found_again(tmp_path: Path) -> None:
    """What was stored in a new file is there when it is opened again."""
    path = str(tmp_path / "x.db")
    with closing(open_database(path)) as first:
        secret = read(first, "SELECT value FROM secret")
    with closing(open_database(path)) as second:
        assert read(second, "SELECT value FROM secret") == secret
        assert read(second, "PRAGMA journal_mode") == "wal"
        assert read(second, "PRAGMA synchronous") == 1
        assert read(second, "PRAGMA user_version") == SCHEMA_VERSION


def test_a_file_is_recognised_by_its_mark(tmp_path: Path) -> None:
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
    monkeypatch.setattr(busy, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ConfigurationError, match="in use by others"):
            open_database(path)


def test_a_file_that_is_let_go_of(tmp_path: Path) -> None:
    """While another process reads, opening a new file waits for it."""
    path = str(tmp_path / "x.db")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("PRAGMA cache_size=100")
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        release = threading.Timer(0.1, other.execute, ("COMMIT",))
        release.start()
        open_database(path).close()
        release.join()


def test_a_file_that_is_not_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some patience that is one clear error."""
    path = str(tmp_path / "x.db")
    monkeypatch.setattr(busy, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA cache_size=100")
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        with pytest.raises(ConfigurationError, match="in use by others"):
            open_database(path)


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


VERSION_1 = (
    """
    CREATE TABLE sessions (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        studio_id TEXT NOT NULL,
        session_id TEXT NOT NULL,
        state TEXT NOT NULL,
        status_code TEXT NOT NULL,
        status_message TEXT NOT NULL,
        updated_at REAL NOT NULL,
        due REAL,
        next_state TEXT,
        next_status_code TEXT,
        next_status_message TEXT,
        owned_by TEXT,
        created_by TEXT,
        members TEXT NOT NULL,
        UNIQUE (studio_id, session_id)
    )
    """,
    "CREATE INDEX sessions_due ON sessions (due) WHERE due IS NOT NULL",
    "CREATE INDEX sessions_listed ON sessions (studio_id, sequence) WHERE state <> 'DELETED'",
    """
    CREATE TABLE answers (
        caller TEXT NOT NULL,
        operation TEXT NOT NULL,
        token TEXT NOT NULL,
        parameters BLOB NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (caller, operation, token)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE secret (value BLOB NOT NULL)",
    "INSERT INTO secret VALUES (x'5EC2E7')",
    "INSERT INTO answers VALUES ('c', 'StopStreamingSession', 't', x'00', x'7B7D')",
    """
    INSERT INTO sessions VALUES (7, 's', 'x', 'STOP_IN_PROGRESS', 'C', 'M', 1.5, 60.5, 'STOPPED',
        'STREAMING_SESSION_STOPPED', 'It is stopped.', 'me', 'you', '{"arn": "a"}')
    """,
    "PRAGMA application_id=0x6E6D626C",
)
"""A file of nimble-stop 0.1, which wrote no version into it."""


def test_a_file_of_the_first_version_is_migrated(tmp_path: Path) -> None:
    """Sessions, their places in lists, transitions, answers and the secret are kept."""
    path = str(tmp_path / "old.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for statement in VERSION_1:
            old.execute(statement)
    for _ in range(2):
        with closing(open_database(path)) as migrated:
            tables = Tables(migrated, lambda: 0.0)
            assert tables.secret == b"\x5e\xc2\xe7"
            assert tables.recall("c", "StopStreamingSession", "t") == (b"\x00", b"{}")
            assert read(migrated, "PRAGMA user_version") == SCHEMA_VERSION
    with closing(open_database(path)) as migrated:
        tables = Tables(migrated, lambda: 61.0)
        session = tables.find("s", "x")
        assert session is not None
        assert session.sequence == 7
        assert session.members == {
            "arn": "a",
            "createdBy": "you",
            "ownedBy": "me",
            "sessionId": "x",
            "state": "STOPPED",
            "statusCode": "STREAMING_SESSION_STOPPED",
            "statusMessage": "It is stopped.",
            "updatedAt": "1970-01-01T00:01:00Z",
        }
        tables.add(stored_session("y"))
        assert [found.sequence for found in tables.page("s", after=7, limit=9)] == [8]


def test_a_migrated_file_is_like_a_new_one(tmp_path: Path) -> None:
    """Tables and indexes are the same, however the file came to its version."""
    path = str(tmp_path / "old.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for statement in VERSION_1:
            old.execute(statement)
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    with closing(open_database(path)) as migrated, closing(open_database(":memory:")) as new:
        schemas = [
            [(row["name"], row["sql"].replace('"', "")) for row in database.execute(query)]
            for database in (migrated, new)
        ]
    assert schemas[0] == schemas[1]


def test_a_migration_that_fails(tmp_path: Path) -> None:
    """It is undone as a whole, so the older version can still use the file."""
    path = str(tmp_path / "old.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for statement in (*VERSION_1, "CREATE TABLE clock (ours)"):
            old.execute(statement)
    with pytest.raises(ConfigurationError, match="table clock already exists"):
        open_database(path)
    with closing(sqlite3.connect(path)) as old:
        assert read(old, "SELECT COUNT(*) FROM sessions") == 1
        assert read(old, "PRAGMA user_version") == 0
        assert read(old, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'copied'") == 0


def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    """It is refused with what to do about it, and left as it is."""
    path = tmp_path / "new.db"
    with closing(open_database(str(path))) as newer:
        newer.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="newer nimble-stop") as caught:
        open_database(str(path))
    assert f"its version is {SCHEMA_VERSION + 1}" in caught.value.message
    assert path.read_bytes() == before
