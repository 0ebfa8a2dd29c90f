"""The SQLite file: how it is opened, recognised, and brought to the version of this package.

It is in WAL mode with ``synchronous=NORMAL``: a killed process loses nothing, several processes may
use one file at once, and a change costs no fsync. A database of another program, or of a newer
version of this package, is left alone.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.storage.busy import StoreBusyError, is_busy, wait_while_busy

if TYPE_CHECKING:
    from collections.abc import Generator

# Marks a file as ours in SQLite's header: the bytes "nmbl".
_APPLICATION_ID: Final = 0x6E6D626C

SCHEMA_VERSION: Final = 2
"""The version of the tables, kept in the file's ``user_version``. Version 1 wrote none."""

_SESSIONS: Final = """
    CREATE TABLE sessions (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        studio_id TEXT NOT NULL,
        session_id TEXT NOT NULL,
        state TEXT NOT NULL,
        status_code TEXT,
        status_message TEXT,
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
"""
# Each page of a list is one range of one of these, whatever it filters by and however many there
# are; so is each search for transitions that are due.
_LISTED: Final = "WHERE state <> 'DELETED'"
_INDEXES: Final = (
    "CREATE INDEX sessions_due ON sessions (due) WHERE due IS NOT NULL",
    f"CREATE INDEX sessions_listed ON sessions (studio_id, sequence) {_LISTED}",
    f"CREATE INDEX sessions_owned ON sessions (studio_id, owned_by, sequence) {_LISTED}",
    f"CREATE INDEX sessions_created ON sessions (studio_id, created_by, sequence) {_LISTED}",
)
_CLOCK: Final = (
    "CREATE TABLE clock (skipped_seconds REAL NOT NULL)",
    "INSERT INTO clock VALUES (0.0)",
)
_NEW: Final = (
    _SESSIONS,
    *_INDEXES,
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
    *_CLOCK,
)
# SQLite cannot lift NOT NULL from a column, so the table is copied; its columns are the same.
_FROM_VERSION_1: Final = (
    "ALTER TABLE sessions RENAME TO copied",
    _SESSIONS,
    "INSERT INTO sessions SELECT * FROM copied",
    "DROP TABLE copied",
    *_INDEXES,
    *_CLOCK,
)


@contextmanager
def transaction(database: sqlite3.Connection) -> Generator[None]:
    """Keep all that is done inside or, when it raises, none of it."""
    database.execute("BEGIN IMMEDIATE")
    with database:
        yield


def open_database(path: str) -> sqlite3.Connection:
    """Open a store's database; make it when there is none, and migrate an older one.

    Raises:
        ConfigurationError: The file cannot be used as a store.
    """
    database: sqlite3.Connection | None = None
    try:
        # Whoever uses it waits in its own way, so SQLite itself never does.
        database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        database.row_factory = sqlite3.Row
        wait_while_busy(lambda: _prepare(database))
    except (sqlite3.Error, StoreBusyError) as error:
        if database is not None:
            database.close()
        raise ConfigurationError(f"The store {path!r} cannot be used: {error}.") from error
    return database


def _prepare(database: sqlite3.Connection) -> None:
    try:
        _check_owner(database)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        with transaction(database):
            _migrate(database)
    except sqlite3.OperationalError as error:
        raise (StoreBusyError() if is_busy(error) else error) from error


def _check_owner(database: sqlite3.Connection) -> None:
    # In this order: another process may make the tables in between, together with the mark.
    is_empty = _number(database, "SELECT COUNT(*) FROM sqlite_master") == 0
    application_id = _number(database, "PRAGMA application_id")
    if application_id != _APPLICATION_ID and not (application_id == 0 and is_empty):
        raise sqlite3.DatabaseError("it is the database of another program")
    version = _number(database, "PRAGMA user_version")
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(
            f"its version is {version}, and this nimble-stop reads versions up to "
            f"{SCHEMA_VERSION}; use a newer nimble-stop, or another file"
        )


def _migrate(database: sqlite3.Connection) -> None:
    """Bring the tables to `SCHEMA_VERSION`, unless another process was quicker."""
    if _number(database, "PRAGMA user_version") == SCHEMA_VERSION:
        return
    is_new = _number(database, "PRAGMA application_id") != _APPLICATION_ID
    for statement in _NEW if is_new else _FROM_VERSION_1:
        database.execute(statement)
    if is_new:
        database.execute("INSERT INTO secret VALUES (?)", (secrets.token_bytes(32),))
        database.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _number(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])
