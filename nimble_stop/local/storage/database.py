"""The SQLite file: how it is opened, recognised and brought into shape.

It is in WAL mode with ``synchronous=NORMAL``: a killed process loses nothing, several processes may
use one file at once, and a change costs no fsync. A database of another program is left alone.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from contextlib import closing
from typing import Final

from nimble_stop.exceptions import ConfigurationError

__all__ = ["open_database"]

# Marks a file as ours in SQLite's header: the bytes "nmbl".
_APPLICATION_ID: Final = 0x6E6D626C
_BUSY_SECONDS: Final = 5.0
_SCHEMA: Final = (
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
)


class _ForeignFileError(Exception):
    """The file is a database, and not one of ours."""


def open_database(path: str) -> sqlite3.Connection:
    """Open a store's database, and make it when there is none.

    Args:
        path: The file; ``":memory:"`` keeps nothing.

    Raises:
        ConfigurationError: The file cannot be used as a store.
    """
    database: sqlite3.Connection | None = None
    try:
        database = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        _refuse_foreign(database)
        _switch_to_wal(database)
        database.execute("PRAGMA synchronous=NORMAL")
        _create(database)
    except (sqlite3.Error, _ForeignFileError) as error:
        if database is not None:
            database.close()
        raise ConfigurationError(f"The store {path!r} cannot be used: {error}.") from error
    return database


def _number(database: sqlite3.Connection, query: str) -> int:
    with closing(database.execute(query)) as cursor:
        (number,) = cursor.fetchone()
    return int(number)


def _refuse_foreign(database: sqlite3.Connection) -> None:
    # In this order: another process may make the tables in between, together with the mark.
    is_empty = _number(database, "SELECT COUNT(*) FROM sqlite_master") == 0
    application_id = _number(database, "PRAGMA application_id")
    if application_id != _APPLICATION_ID and not (application_id == 0 and is_empty):
        raise _ForeignFileError("it is the database of another program")


def _switch_to_wal(database: sqlite3.Connection) -> None:
    # SQLite's busy timeout does not cover this statement while another process opens the file.
    patience_ends = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > patience_ends:
                raise
            time.sleep(0.01)
        else:
            return


def _create(database: sqlite3.Connection) -> None:
    """Make the tables, unless they are there or another process is quicker."""
    database.execute("BEGIN IMMEDIATE")
    if _number(database, "PRAGMA application_id") != _APPLICATION_ID:
        for statement in _SCHEMA:
            database.execute(statement)
        database.execute("INSERT INTO secret VALUES (?)", (secrets.token_bytes(32),))
        database.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    database.execute("COMMIT")
