"""What the endpoint remembers, in one SQLite database.

This module owns two rules. A change and the record of its answer are one transaction, committed
before the answer leaves, so what was answered is in the store whenever the process dies. And a
transition that is under way is a due time in a row, never a timer: `Store.settle` completes
whatever is due, so a restart carries on where the last process ended.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.storage.database import open_database
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

__all__ = ["Pending", "Session", "Store"]


@attrs.frozen(kw_only=True)
class Pending:
    """What a session in transition turns into.

    Args:
        state: The next state.
        status_code: The status code that goes with it.
        status_message: The status message that goes with it.
        due: When, in seconds since 1970 UTC of the sessions' time; None waits until it is told.
    """

    state: str
    status_code: str
    status_message: str
    due: float | None


@attrs.frozen(kw_only=True)
class Session:
    """One stored session.

    Args:
        studio_id: The studio that it belongs to.
        session_id: Its id, unique in its studio.
        state: Its state.
        status_code: The status code of its state.
        status_message: The status message of its state.
        updated_at: When it was last changed, in seconds since 1970 UTC.
        pending: What it turns into, when it is in transition.
        owned_by: Who owns it.
        created_by: Who created it.
        members: All its other members in wire form.
        sequence: Its place in lists; 0 before it is stored.
    """

    studio_id: str
    session_id: str
    state: str
    status_code: str
    status_message: str
    updated_at: float
    pending: Pending | None
    owned_by: str | None
    created_by: str | None
    members: Mapping[str, object]
    sequence: int = 0


_COLUMNS: Final = (
    "studio_id, session_id, state, status_code, status_message, updated_at, owned_by, created_by, "
    "members, sequence, next_state, next_status_code, next_status_message, due"
)
_Row = tuple[
    str, str, str, str, str, float, str | None, str | None,
    str, int, str | None, str, str, float | None,
]  # fmt: skip


def _session(row: _Row) -> Session:
    pending = (
        None
        if row[10] is None
        else Pending(state=row[10], status_code=row[11], status_message=row[12], due=row[13])
    )
    members: dict[str, object] = json.loads(row[8])
    return Session(
        studio_id=row[0],
        session_id=row[1],
        state=row[2],
        status_code=row[3],
        status_message=row[4],
        updated_at=row[5],
        owned_by=row[6],
        created_by=row[7],
        members=members,
        sequence=row[9],
        pending=pending,
    )


def _values(session: Session) -> dict[str, object]:
    """Spread a session over the columns that can change."""
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


class Store:
    """The sessions and the answers that were given; safe to use from several threads.

    Args:
        path: The database file, created when it does not exist; ``":memory:"`` keeps nothing.

    Raises:
        ConfigurationError: The file cannot be used as a store.
    """

    def __init__(self, path: str) -> None:
        self._lock = threading.RLock()
        self._database = open_database(path)
        (secret,) = self._database.execute("SELECT value FROM secret").fetchone()
        self._secret = bytes(secret)

    @property
    def secret(self) -> bytes:
        """Random bytes that belong to this store, to know one's own page tokens by."""
        return self._secret

    def close(self) -> None:
        """Close the database. Nothing else may be called afterwards."""
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Do everything inside at once or, when it raises, not at all."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself after some errors.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def settle(self, now: float) -> None:
        """Complete the transitions that are due, each as of its own time.

        Args:
            now: The sessions' time, in seconds since 1970 UTC.
        """
        with self._lock:
            (is_due,) = self._database.execute(
                "SELECT EXISTS (SELECT 1 FROM sessions WHERE due <= ?)", (now,)
            ).fetchone()
            if is_due:
                self._complete(now, "due <= ?", (now,))

    def complete(self, now: float, *, studio_id: str | None, session_id: str | None) -> int:
        """Complete transitions at once, due or not.

        Args:
            now: The sessions' time, in seconds since 1970 UTC.
            studio_id: The studio; None for all.
            session_id: The session in that studio; None for all.

        Returns:
            How many there were.
        """
        with self._lock:
            condition, values = _conditions({"studio_id": studio_id, "session_id": session_id})
            return self._complete(now, f"next_state IS NOT NULL{condition}", values)

    def _complete(self, now: float, condition: str, values: Sequence[object]) -> int:
        """Complete transitions as of when they were due, and as of now where that is to come."""
        return self._database.execute(
            f"""
            UPDATE sessions SET
                state = next_state, status_code = next_status_code,
                status_message = next_status_message,
                updated_at = COALESCE(MIN(due, ?), ?), due = NULL,
                next_state = NULL, next_status_code = NULL, next_status_message = NULL
            WHERE {condition}
            """,  # noqa: S608  # conditions of our own
            (now, now, *values),
        ).rowcount

    def add(self, session: Session) -> bool:
        """Store a new session.

        Returns:
            False when its studio has a session of that id already, and nothing was done.
        """
        values = _values(session)
        with self._lock:
            return bool(
                self._database.execute(
                    f"INSERT OR IGNORE INTO sessions ({', '.join(values)}) "  # noqa: S608  # column names of our own
                    f"VALUES ({', '.join(':' + name for name in values)})",
                    values,
                ).rowcount
            )

    def change(self, session: Session) -> None:
        """Store a session that was changed."""
        with self._lock:
            self._database.execute(
                "UPDATE sessions SET state = :state, status_code = :status_code, "
                "status_message = :status_message, updated_at = :updated_at, due = :due, "
                "next_state = :next_state, next_status_code = :next_status_code, "
                "next_status_message = :next_status_message, members = :members "
                "WHERE studio_id = :studio_id AND session_id = :session_id",
                _values(session),
            )

    def find(self, studio_id: str, session_id: str) -> Session | None:
        """Read one session, or None when there is none."""
        with self._lock:
            row: _Row | None = self._database.execute(
                f"SELECT {_COLUMNS} FROM sessions WHERE studio_id = ? AND session_id = ?",  # noqa: S608  # column names of our own
                (studio_id, session_id),
            ).fetchone()
        return None if row is None else _session(row)

    def page(
        self,
        studio_id: str,
        *,
        after: int,
        limit: int,
        owned_by: str | None,
        created_by: str | None,
        session_ids: Sequence[str] | None,
    ) -> list[Session]:
        """Read some of a studio's sessions, deleted ones left out, in the order of creation.

        Args:
            studio_id: The studio.
            after: The `Session.sequence` to go on after; 0 for the first page.
            limit: How many at most.
            owned_by: Only sessions with this owner.
            created_by: Only sessions with this creator.
            session_ids: Only sessions with one of these ids.
        """
        condition, values = _conditions({"owned_by": owned_by, "created_by": created_by})
        if session_ids is not None:
            # A request's target is too short for more ids than SQLite takes parameters.
            condition += f" AND session_id IN ({', '.join('?' * len(session_ids))})"
            values = (*values, *session_ids)
        with self._lock:
            rows: list[_Row] = self._database.execute(
                f"SELECT {_COLUMNS} FROM sessions WHERE studio_id = ? AND sequence > ? "  # noqa: S608  # column names of our own
                f"AND state <> '{State.DELETED}'{condition} ORDER BY sequence LIMIT ?",
                (studio_id, after, *values, limit),
            ).fetchall()
        return [_session(row) for row in rows]

    def has_studio(self, studio_id: str) -> bool:
        """Tell whether a studio has, or had, a session."""
        with self._lock:
            (found,) = self._database.execute(
                "SELECT EXISTS (SELECT 1 FROM sessions WHERE studio_id = ?)", (studio_id,)
            ).fetchone()
        return bool(found)

    def keys(self) -> list[tuple[str, str]]:
        """List the studio id and session id of every session, in the order of creation."""
        with self._lock:
            return self._database.execute(
                "SELECT studio_id, session_id FROM sessions ORDER BY sequence"
            ).fetchall()

    def count(self) -> int:
        """Count the sessions, deleted ones too."""
        with self._lock:
            (number,) = self._database.execute("SELECT COUNT(*) FROM sessions").fetchone()
        return int(number)

    def recall(self, caller: str, operation: str, token: str) -> tuple[bytes, bytes] | None:
        """Find the answer that a client token was given.

        Returns:
            The digest of the parameters that it came with and the answer's body, or None.
        """
        with self._lock:
            row: tuple[bytes, bytes] | None = self._database.execute(
                "SELECT parameters, body FROM answers "
                "WHERE caller = ? AND operation = ? AND token = ?",
                (caller, operation, token),
            ).fetchone()
        return row

    def remember(
        self, caller: str, operation: str, token: str, parameters: bytes, body: bytes
    ) -> None:
        """Keep the answer to a client token; call it in the transaction of the change."""
        with self._lock:
            self._database.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
                (caller, operation, token, parameters, body),
            )

    def clear(self) -> None:
        """Forget all sessions and answers."""
        with self.transaction():
            self._database.execute("DELETE FROM sessions")
            self._database.execute("DELETE FROM answers")


def _conditions(wanted: Mapping[str, str | None]) -> tuple[str, tuple[object, ...]]:
    """Write the conditions for the columns that are asked for."""
    given = {column: value for column, value in wanted.items() if value is not None}
    return "".join(f" AND {column} = ?" for column in given), tuple(given.values())
