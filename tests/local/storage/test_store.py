from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop import StreamingSession
from nimble_stop.local.storage.busy import StoreBusyError
from nimble_stop.local.storage.store import Store
from tests.local.support import stored_session as session

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from nimble_stop.local import LocalNimble
    from nimble_stop.local.storage.tables import Change, Tables


@pytest.fixture
def store() -> Generator[Store]:
    """An empty store."""
    with closing(Store(":memory:", lambda: 0.0)) as opened:
        yield opened


def count(store: Store) -> int:
    """Count the sessions."""
    with store.access() as tables:
        return tables.count()


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    """What fails in the middle leaves nothing behind, and the store works on."""
    with pytest.raises(sqlite3.IntegrityError), store.transaction() as tables:
        _add_and_fail(tables)
    assert count(store) == 0
    with store.transaction() as tables:
        tables.add(session("a"))
    assert count(store) == 1


def _add_and_fail(tables: Tables) -> None:
    tables.add(session("a"))
    for _ in range(2):
        tables.remember("c", "Stop", "t", b"d", b"b")


def test_a_transaction_that_sqlite_ended_leaves_nothing_open(store: Store) -> None:
    """After some errors SQLite rolls back by itself, and the next transaction can begin."""
    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        store._database.execute("INSERT OR ROLLBACK INTO clock VALUES (NULL)")
    with store.transaction() as tables:
        tables.add(session("a"))
    assert count(store) == 1


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    """A file keeps sessions, answers, the secret and the time that was skipped."""
    path = str(tmp_path / "x.db")
    with closing(Store(path, lambda: 0.0)) as first, first.transaction() as tables:
        tables.add(session("a", state="STOP_IN_PROGRESS", due=5))
        tables.remember("c", "Stop", "t", b"d", b"b")
        tables.set_skipped_seconds(1.5)
        secret = tables.secret
    with closing(Store(path, lambda: 4.5)) as second, second.access() as tables:
        assert tables.complete_due() == 1
        assert tables.recall("c", "Stop", "t") == (b"d", b"b")
        assert tables.skipped_seconds == 1.5
        assert tables.secret == secret


def test_another_thread_is_not_waited_for(store: Store) -> None:
    """While one thread uses the tables, every other one is refused at once."""
    refusals: list[Exception] = []

    def try_it() -> None:
        try:
            count(store)
        except StoreBusyError as error:
            refusals.append(error)

    with store.access():
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert len(refusals) == 1
    assert count(store) == 0


def test_another_process_is_not_waited_for(tmp_path: Path) -> None:
    """While another process writes, reading goes on and writing is refused at once."""
    path = str(tmp_path / "x.db")
    with (
        closing(Store(path, lambda: 0.0)) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert count(store) == 0
        with pytest.raises(StoreBusyError), store.transaction():
            pass
        with pytest.raises(StoreBusyError):
            _skip_a_second(store)
        other.execute("COMMIT")
        with store.transaction() as tables:
            tables.add(session("a"))
        assert count(store) == 1


def _skip_a_second(store: Store) -> None:
    with store.access() as tables:
        tables.set_skipped_seconds(1)


def test_changes_are_reported_when_they_are_kept() -> None:
    """A listener is called after a change, outside of all locks, and not for what was undone."""
    reported: list[list[Change] | None] = []

    def report(changes: list[Change] | None) -> None:
        assert not opened._lock.locked()
        reported.append(changes)

    opened = Store(":memory:", lambda: 0.0, report)
    with closing(opened):
        with opened.transaction() as tables:
            tables.add(session("a"))
        with opened.access() as tables:
            tables.count()
        with pytest.raises(sqlite3.IntegrityError), opened.transaction() as tables:
            _add_and_fail(tables)
        with opened.transaction() as tables:
            tables.clear()
    assert reported == [[("s", "a", session("a"))], None]


def test_sessions_are_a_mapping(local: LocalNimble) -> None:
    """Each session is found under its studio and its id, as a client would read it."""
    local.add_session(studio_id="studio-2", session_id="session-1", state="DELETED")
    assert list(local.sessions) == [("studio-1", "session-1"), ("studio-2", "session-1")]
    assert len(local.sessions) == 2
    session = local.sessions["studio-1", "session-1"]
    assert isinstance(session, StreamingSession)
    assert session.state == "READY"
    assert ("studio-1", "gone") not in local.sessions
    assert repr(local.sessions) == "<Sessions: 2>"


def test_a_session_that_is_not_there(local: LocalNimble) -> None:
    """An unknown one is a KeyError that names it."""
    with pytest.raises(KeyError, match="gone"):
        local.sessions["studio-1", "gone"]


@pytest.mark.parametrize("key", ["artist-1", ("studio-1",), ("studio-1", 5), None])
def test_what_is_no_key(local: LocalNimble, key: Any) -> None:  # noqa: ANN401  # what a test may pass
    """A key that is no pair of ids is refused with an example."""
    with pytest.raises(TypeError, match=r"sessions\['studio-1', 'session-1'\]"):
        local.sessions.get(key)


def test_the_view_is_live(local: LocalNimble) -> None:
    """A view shows what has become of the sessions since."""
    view = local.sessions
    local.add_session(studio_id="studio-1", session_id="b", state="STOP_IN_PROGRESS")
    assert view["studio-1", "b"].state == "STOPPED"
