"""The SQL statements of the store.

Each method is one statement, or a few that read. Locks and transactions are the caller's; see
`nimble_stop.local.storage.store`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from nimble_stop.local.storage.stored_session import Pending, StoredSession
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Change", "Tables"]

Change: TypeAlias = "tuple[str, str, StoredSession | None]"
"""A session that changed: its studio id, its session id and itself, None once it is removed."""

# Whoever is informed of more changes had better read everything.
_KEPT_CHANGES: Final = 25

_COLUMNS: Final = (
    "studio_id", "session_id", "state", "status_code", "status_message", "updated_at", "due",
    "next_state", "next_status_code", "next_status_message", "owned_by", "created_by", "members",
)  # fmt: skip
_INSERT: Final = (
    f"INSERT OR IGNORE INTO sessions ({', '.join(_COLUMNS)}) "  # noqa: S608  # column names of our own
    f"VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
)
_UPDATE: Final = (
    f"UPDATE sessions SET {', '.join(f'{name} = :{name}' for name in _COLUMNS[2:])} "  # noqa: S608  # likewise
    "WHERE studio_id = :studio_id AND session_id = :session_id"
)


class Tables:
    """Reads and writes the rows of one open database.

    Args:
        database: The database, as `nimble_stop.local.storage.database` opens it.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._changes: list[Change] | None = []
        self._data_version = self._value("PRAGMA data_version")

    def take_changes(self) -> list[Change] | None:
        """Return the changes of sessions since the last call; None when all may have changed."""
        changes, self._changes = self._changes, []
        return changes

    def note_changes_of_others(self) -> None:
        """Note that all sessions may have changed if another connection has written since."""
        version = self._value("PRAGMA data_version")
        if version != self._data_version:
            self._data_version = version
            self._changes = None

    def _note(self, *changes: Change) -> None:
        if self._changes is not None:
            self._changes.extend(changes)
            if len(self._changes) > _KEPT_CHANGES:
                self._changes = None

    # Sessions

    def find(self, studio_id: str, session_id: str) -> StoredSession | None:
        """Read one session, or None when there is none."""
        row = self._database.execute(
            "SELECT * FROM sessions WHERE studio_id = ? AND session_id = ?",
            (studio_id, session_id),
        ).fetchone()
        return None if row is None else _read(row)

    def add(self, session: StoredSession) -> bool:
        """Insert a new session.

        Returns:
            False when its studio has a session of that id already, and nothing was done.
        """
        is_new = self._database.execute(_INSERT, _write(session)).rowcount > 0
        if is_new:
            self._note((session.studio_id, session.session_id, session))
        return is_new

    def change(self, session: StoredSession) -> None:
        """Update a session that was changed."""
        self._database.execute(_UPDATE, _write(session))
        self._note((session.studio_id, session.session_id, session))

    def remove(self, studio_id: str, session_id: str) -> bool:
        """Delete a session's row, as if it had never been there.

        Returns:
            Whether there was one.
        """
        was_there = (
            self._database.execute(
                "DELETE FROM sessions WHERE studio_id = ? AND session_id = ?",
                (studio_id, session_id),
            ).rowcount
            > 0
        )
        if was_there:
            self._note((studio_id, session_id, None))
        return was_there

    def page(
        self,
        studio_id: str,
        *,
        after: int,
        limit: int,
        owned_by: str | None = None,
        created_by: str | None = None,
        session_ids: Sequence[str] | None = None,
    ) -> list[StoredSession]:
        """Read some of a studio's sessions, deleted ones left out, in the order of creation.

        Args:
            studio_id: The studio.
            after: The `StoredSession.sequence` to go on after; 0 for the first page.
            limit: How many at most.
            owned_by: Only sessions with this owner.
            created_by: Only sessions with this creator.
            session_ids: Only sessions with one of these ids.
        """
        # The plus keeps SQLite from walking the studio in this order when it has ids to look up.
        sequence = "sequence" if session_ids is None else "+sequence"
        conditions = ["studio_id = ?", f"{sequence} > ?", f"state <> '{State.DELETED}'"]
        values: list[object] = [studio_id, after]
        for column, value in (("owned_by", owned_by), ("created_by", created_by)):
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(value)
        if session_ids is not None:
            # One parameter, however many ids: SQLite limits the number of parameters.
            conditions.append("session_id IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(session_ids))
        rows = self._database.execute(
            f"SELECT * FROM sessions WHERE {' AND '.join(conditions)} ORDER BY {sequence} LIMIT ?",  # noqa: S608  # conditions of our own
            (*values, limit),
        ).fetchall()
        return [_read(row) for row in rows]

    def has_studio(self, studio_id: str) -> bool:
        """Return whether a studio has, or had, a session."""
        return self._exists("SELECT 1 FROM sessions WHERE studio_id = ?", studio_id)

    def keys(self) -> list[tuple[str, str]]:
        """List the studio id and session id of every session, in the order of creation."""
        rows = self._database.execute(
            "SELECT studio_id, session_id FROM sessions ORDER BY sequence"
        )
        return [tuple(row) for row in rows]

    def sessions(self) -> Iterator[StoredSession]:
        """Read all sessions, deleted ones too, in the order of creation.

        Returns:
            The sessions as they were at this call, each read when it is taken: that takes longer
            than the call, and does not need the store any more.
        """
        rows = self._database.execute("SELECT * FROM sessions ORDER BY sequence").fetchall()
        return map(_read, rows)

    def count(self) -> int:
        """Count the sessions, deleted ones too."""
        return int(self._value("SELECT COUNT(*) FROM sessions"))

    # Transitions

    def complete_due(self, now: float) -> int:
        """Complete the transitions that are due, each as of its own time.

        Args:
            now: The sessions' time, in seconds since 1970 UTC.

        Returns:
            How many there were.
        """
        if not self._exists("SELECT 1 FROM sessions WHERE due <= ?", now):
            return 0
        return self._complete(now, "due <= ?", now)

    def complete(self, now: float, studio_id: str, session_id: str) -> bool:
        """Complete a session's transition, due or not.

        Returns:
            Whether it was in one.
        """
        condition = "next_state IS NOT NULL AND studio_id = ? AND session_id = ?"
        return self._complete(now, condition, studio_id, session_id) > 0

    def complete_all(self, now: float) -> int:
        """Complete all transitions, due or not.

        Returns:
            How many there were.
        """
        return self._complete(now, "next_state IS NOT NULL")

    def _complete(self, now: float, condition: str, *values: object) -> int:
        """Complete transitions as of when they were due, and as of now where that is to come."""
        rows = self._database.execute(
            f"""
            UPDATE sessions SET
                state = next_state, status_code = next_status_code,
                status_message = next_status_message,
                updated_at = COALESCE(MIN(due, ?), ?), due = NULL,
                next_state = NULL, next_status_code = NULL, next_status_message = NULL
            WHERE {condition} RETURNING *
            """,  # noqa: S608  # conditions of our own
            (now, now, *values),
        ).fetchall()
        if len(rows) > _KEPT_CHANGES:
            self._changes = None
        else:
            completed = [_read(row) for row in rows]
            self._note(*((done.studio_id, done.session_id, done) for done in completed))
        return len(rows)

    # Answers to client tokens

    def recall(self, caller: str, operation: str, token: str) -> tuple[bytes, bytes] | None:
        """Find the answer that a client token was given.

        Returns:
            The digest of the parameters that it came with and the answer's body, or None.
        """
        row = self._database.execute(
            "SELECT parameters, body FROM answers WHERE caller = ? AND operation = ? AND token = ?",
            (caller, operation, token),
        ).fetchone()
        return None if row is None else (row["parameters"], row["body"])

    def remember(
        self, caller: str, operation: str, token: str, parameters: bytes, body: bytes
    ) -> None:
        """Keep the answer to a client token; call it in the transaction of the change."""
        self._database.execute(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
            (caller, operation, token, parameters, body),
        )

    # The store as a whole

    @property
    def secret(self) -> bytes:
        """Random bytes that belong to this store, to recognise its own page tokens."""
        return bytes(self._value("SELECT value FROM secret"))

    @property
    def skipped_seconds(self) -> float:
        """How far the sessions' time is ahead of the server's."""
        return float(self._value("SELECT skipped_seconds FROM clock"))

    def set_skipped_seconds(self, seconds: float) -> None:
        """Set how far the sessions' time is ahead of the server's."""
        self._database.execute("UPDATE clock SET skipped_seconds = ?", (seconds,))

    def clear(self) -> None:
        """Delete all sessions and answers, and set the sessions' time back."""
        self._database.execute("DELETE FROM sessions")
        self._database.execute("DELETE FROM answers")
        self.set_skipped_seconds(0.0)
        self._changes = None

    def _exists(self, query: str, value: object) -> bool:
        return bool(self._value(f"SELECT EXISTS ({query})", value))  # queries of our own

    def _value(self, query: str, *values: object) -> Any:  # noqa: ANN401  # SQLite's, as it comes
        return self._database.execute(query, values).fetchone()[0]


def _read(row: sqlite3.Row) -> StoredSession:
    pending = (
        None
        if row["next_state"] is None
        else Pending(
            state=row["next_state"],
            status_code=row["next_status_code"],
            status_message=row["next_status_message"],
            due=row["due"],
        )
    )
    members: dict[str, object] = json.loads(row["members"])
    return StoredSession(
        studio_id=row["studio_id"],
        session_id=row["session_id"],
        state=row["state"],
        status_code=row["status_code"],
        status_message=row["status_message"],
        updated_at=row["updated_at"],
        owned_by=row["owned_by"],
        created_by=row["created_by"],
        members=members,
        sequence=row["sequence"],
        pending=pending,
    )


def _write(session: StoredSession) -> Mapping[str, object]:
    pending = session.pending
    return {
        "studio_id": session.studio_id,
        "session_id": session.session_id,
        "state": session.state,
        "status_code": session.status_code,
        "status_message": session.status_message,
        "updated_at": session.updated_at,
        "owned_by": session.owned_by,
        "created_by": session.created_by,
        "members": json.dumps(session.members),
        "due": None if pending is None else pending.due,
        "next_state": None if pending is None else pending.state,
        "next_status_code": None if pending is None else pending.status_code,
        "next_status_message": None if pending is None else pending.status_message,
    }
