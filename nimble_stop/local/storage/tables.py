"""The sessions and answers in one open database: their rows, and the SQL statements on them.

Each method is one statement, or a few that read. Locks and transactions are the caller's; see
`nimble_stop.local.storage.store`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
from attrs.validators import optional

from nimble_stop._api.converter import parse_timestamp
from nimble_stop.local.faults.checks import number, string
from nimble_stop.local.storage.clock import Clock, render_timestamp, time_after
from nimble_stop.models import StreamingSessionState as State, member_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence


@attrs.frozen
class Pending:
    """What a session turns into when that is due; if never, when `LocalNimble.complete` says."""

    state: str = attrs.field(validator=string)
    status_code: str = attrs.field(validator=string)
    status_message: str = attrs.field(validator=string)
    due: float | None = attrs.field(validator=optional(number()))


def _in_wire_form(members: Mapping[str, object]) -> dict[str, object]:
    """Leave out what has no value, and bring the names into the API's alphabetical order."""
    return {name: members[name] for name in sorted(members) if members[name] is not None}


@attrs.frozen
class StoredSession:
    """A session as the store keeps it.

    Args:
        members: All members of the session, in wire form; None leaves one out.
        pending: What it turns into, when it is in transition.
        sequence: Its place in lists; 0 before it is stored.
    """

    studio_id: str
    members: Mapping[str, object] = attrs.field(converter=_in_wire_form)
    pending: Pending | None = None
    sequence: int = 0

    @property
    def session_id(self) -> str:
        """The session's id."""
        return str(self.members["sessionId"])

    @property
    def state(self) -> str:
        """The state that it is in."""
        return str(self.members["state"])


Change: TypeAlias = "tuple[str, str, StoredSession | None]"
"""A session that changed: its studio id, its session id and itself, None once it is removed."""

# Whoever is informed of more changes had better read everything.
_KEPT_CHANGES: Final = 25

# The members that have a column of their own; the column `members` holds the others as JSON.
_OWN_COLUMNS: Final = (
    "session_id", "state", "status_code", "status_message", "owned_by", "created_by", "updated_at",
)  # fmt: skip
_MEMBERS: Final = tuple(map(member_name, _OWN_COLUMNS))
_COLUMNS: Final = (
    "studio_id", *_OWN_COLUMNS, "members",
    "next_state", "next_status_code", "next_status_message", "due",
)  # fmt: skip
_ROW: Final = ", ".join((*_COLUMNS, "sequence"))
_INSERT: Final = (
    f"INSERT OR IGNORE INTO sessions ({', '.join(_COLUMNS)}) "  # noqa: S608  # column names of our own
    f"VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
)
_UPDATE: Final = (
    f"UPDATE sessions SET {', '.join(f'{name} = :{name}' for name in _COLUMNS[2:])} "  # noqa: S608  # likewise
    "WHERE studio_id = :studio_id AND session_id = :session_id"
)
_SELECT: Final = f"SELECT {_ROW} FROM sessions"  # noqa: S608  # likewise
_FIND: Final = f"{_SELECT} WHERE studio_id = ? AND session_id = ?"
_DELETE: Final = "DELETE FROM sessions WHERE studio_id = ? AND session_id = ?"


class Tables:
    """Reads and writes the rows of one open database."""

    def __init__(self, database: sqlite3.Connection, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._changes: list[Change] | None = []
        self._data_version = self._value("PRAGMA data_version")
        self.secret: bytes = self._value("SELECT value FROM secret")
        """Random bytes that belong to this store, to recognise its own page tokens."""

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

    def _note(self, studio_id: str, session_id: str, session: StoredSession | None) -> None:
        if self._changes is not None:
            self._changes.append((studio_id, session_id, session))
            if len(self._changes) > _KEPT_CHANGES:
                self._changes = None

    # Sessions

    def find(self, studio_id: str, session_id: str) -> StoredSession | None:
        """Read one session as it is now, or None when there is none."""
        row = self._database.execute(_FIND, (studio_id, session_id)).fetchone()
        # Only a session that time changes needs the time.
        if row is not None and row["due"] is not None and self.complete_due():
            row = self._database.execute(_FIND, (studio_id, session_id)).fetchone()
        return None if row is None else _read(row)

    def add(self, session: StoredSession) -> bool:
        """Insert a new session, unless its studio has one of that id; return whether it was new."""
        is_new = self._database.execute(_INSERT, _write(session)).rowcount > 0
        if is_new:
            self._note(session.studio_id, session.session_id, session)
        return is_new

    def change(self, session: StoredSession) -> None:
        """Update a session that was changed."""
        self._database.execute(_UPDATE, _write(session))
        self._note(session.studio_id, session.session_id, session)

    def remove(self, studio_id: str, session_id: str) -> bool:
        """Delete a session's row, as if it had never been there; return whether there was one."""
        was_there = self._database.execute(_DELETE, (studio_id, session_id)).rowcount > 0
        if was_there:
            self._note(studio_id, session_id, None)
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

        A page goes on after a `StoredSession.sequence`, 0 for the first one. All filters that are
        given must fit.
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
            f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY {sequence} LIMIT ?",
            (*values, limit),
        )
        return list(map(_read, rows))

    def has_studio(self, studio_id: str) -> bool:
        """Return whether a studio has, or had, a session."""
        query = "SELECT EXISTS (SELECT 1 FROM sessions WHERE studio_id = ?)"
        return bool(self._value(query, studio_id))

    def keys(self) -> list[tuple[str, str]]:
        """List the studio id and session id of every session, in the order of creation."""
        rows = self._database.execute(
            "SELECT studio_id, session_id FROM sessions ORDER BY sequence"
        )
        return [tuple(row) for row in rows]

    def sessions(self) -> Iterator[StoredSession]:
        """Read all sessions as they are now, deleted ones too, in the order of creation.

        Each is read when it is taken: that takes longer than this call, and needs no store.
        """
        self.complete_due()
        return map(_read, self._database.execute(f"{_SELECT} ORDER BY sequence").fetchall())

    def count(self) -> int:
        """Count the sessions, deleted ones too."""
        return int(self._value("SELECT COUNT(*) FROM sessions"))

    # Transitions

    def complete_due(self) -> int:
        """Complete the transitions that are due, each as of its own time; return how many."""
        now = self.now
        # Only a change needs the database for itself.
        if not self._value("SELECT EXISTS (SELECT 1 FROM sessions WHERE due <= ?)", now):
            return 0
        return self._complete(now, "due <= ?", now)

    def complete(self, key: tuple[str, str] | None = None) -> int:
        """Complete all transitions, or that of one session, due or not; return how many."""
        of_one = "" if key is None else " AND studio_id = ? AND session_id = ?"
        return self._complete(self.now, f"next_state IS NOT NULL{of_one}", *(key or ()))

    def _complete(self, now: float, condition: str, *values: object) -> int:
        """Complete transitions as of when they were due, and as of now where that is to come."""
        rows = self._database.execute(
            f"""
            UPDATE sessions SET
                state = next_state, status_code = next_status_code,
                status_message = next_status_message,
                updated_at = COALESCE(MIN(due, ?), ?), due = NULL,
                next_state = NULL, next_status_code = NULL, next_status_message = NULL
            WHERE {condition} RETURNING {_ROW}
            """,  # noqa: S608  # conditions of our own
            (now, now, *values),
        ).fetchall()
        # With one more than are kept all may have changed, so the others need not be read.
        for done in map(_read, rows[: _KEPT_CHANGES + 1]):
            self._note(done.studio_id, done.session_id, done)
        return len(rows)

    # Answers to client tokens

    def recall(self, caller: str, operation: str, token: str) -> tuple[bytes, bytes] | None:
        """Find the digest of the parameters that a client token came with, and its answer."""
        row = self._database.execute(
            "SELECT parameters, body FROM answers WHERE caller = ? AND operation = ? AND token = ?",
            (caller, operation, token),
        ).fetchone()
        return None if row is None else tuple(row)

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
    def now(self) -> float:
        """The sessions' time, in seconds since 1970 UTC."""
        return self._clock() + self.skipped_seconds

    @property
    def skipped_seconds(self) -> float:
        """How far the sessions' time is ahead of the server's."""
        return float(self._value("SELECT skipped_seconds FROM clock"))

    def skip(self, seconds: float) -> None:
        """Move the sessions' time forward, as far as `time_after` allows."""
        time_after(seconds, self.now)
        self.set_skipped_seconds(self.skipped_seconds + seconds)

    def set_skipped_seconds(self, seconds: float) -> None:
        """Set how far the sessions' time is ahead of the server's."""
        self._database.execute("UPDATE clock SET skipped_seconds = ?", (seconds,))

    def clear(self) -> None:
        """Delete all sessions and answers, and set the sessions' time back."""
        self._database.execute("DELETE FROM sessions")
        self._database.execute("DELETE FROM answers")
        self.set_skipped_seconds(0.0)
        self._changes = None

    def _value(self, query: str, *values: object) -> Any:  # noqa: ANN401  # SQLite's, as it comes
        return self._database.execute(query, values).fetchone()[0]


def _read(row: sqlite3.Row) -> StoredSession:
    studio_id, *own, updated_at, members, state, status_code, status_message, due, sequence = row
    pending = None if state is None else Pending(state, status_code, status_message, due)
    wire = json.loads(members)
    wire.update(zip(_MEMBERS, (*own, render_timestamp(updated_at)), strict=True))
    return StoredSession(studio_id, wire, pending, sequence)


def _write(session: StoredSession) -> Mapping[str, object]:
    others = dict(session.members)
    *own, updated_at = (others.pop(name, None) for name in _MEMBERS)
    seconds = parse_timestamp(updated_at).timestamp()
    following = (None,) * 4 if session.pending is None else attrs.astuple(session.pending)
    values = (session.studio_id, *own, seconds, json.dumps(others), *following)
    return dict(zip(_COLUMNS, values, strict=True))
