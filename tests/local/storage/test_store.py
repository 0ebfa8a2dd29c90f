from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from nimble_stop.local.storage.busy import StoreBusyError
from nimble_stop.local.storage.store import Store
from tests.local.support import stored_session as session

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from nimble_stop.local.storage.tables import Change, Tables


@pytest.fixture
def store() -> Generator[Store]:
    """An empty store."""
    with closing(Store(":memory:")) as opened:
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


def test_a_failed_commit_leaves_nothing_open(store: Store) -> None:
    """After SQLite itself ended a transaction the next one can begin."""
    with pytest.raises(sqlite3.OperationalError, match="no transaction"), store.transaction():
        store._database.execute("ROLLBACK")
    with store.transaction() as tables:
        tables.add(session("a"))
    assert count(store) == 1


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    """A file keeps sessions, answers, the secret and the time that was skipped."""
    path = str(tmp_path / "x.db")
    with closing(Store(path)) as first, first.transaction() as tables:
        tables.add(session("a", state="STOP_IN_PROGRESS", due=5))
        tables.remember("c", "Stop", "t", b"d", b"b")
        tables.set_skipped_seconds(1.5)
        secret = tables.secret
    with closing(Store(path)) as second, second.access() as tables:
        assert tables.complete_due(6) == 1
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
        closing(Store(path)) as store,
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

    opened = Store(":memory:", report)
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
