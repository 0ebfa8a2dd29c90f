from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from nimble_stop.local.storage.store import Session, Store
from nimble_stop.local.studio.session import new_session

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def store() -> Generator[Store]:
    """An empty store."""
    store = Store(":memory:")
    yield store
    store.close()


def session(
    session_id: str,
    *,
    studio_id: str = "s",
    state: str = "READY",
    due: float | None = None,
    **members: object,
) -> Session:
    """Make a session."""
    return new_session(
        studio_id,
        session_id,
        region_name="r",
        state=state,
        now=0,
        due=due,
        caller="c",
        members=members,
    )


def page(store: Store, **options: object) -> list[str]:
    """List the ids of a page."""
    arguments: dict[str, object] = {
        "after": 0,
        "limit": 100,
        "owned_by": None,
        "created_by": None,
        "session_ids": None,
        **options,
    }
    return [found.session_id for found in store.page("s", **arguments)]  # type: ignore[arg-type]  # as in the signature


def test_a_session_comes_back_as_it_was_stored(store: Store) -> None:
    """Every member survives."""
    original = session("x", state="STOP_IN_PROGRESS", due=5, ownedBy="me", tags={"a": "ü"})
    assert store.add(original)
    found = store.find("s", "x")
    assert found is not None
    assert found.sequence > 0
    assert found.members == original.members
    assert found.pending == original.pending
    assert found.owned_by == "me"


def test_an_id_is_unique_in_its_studio(store: Store) -> None:
    """The same id can be in two studios and only once in each."""
    assert store.add(session("x"))
    assert not store.add(session("x", ownedBy="other"))
    assert store.add(session("x", studio_id="t"))
    assert store.keys() == [("s", "x"), ("t", "x")]
    assert store.count() == 2


def test_settling_completes_what_is_due_as_of_its_own_time(store: Store) -> None:
    """A transition ends when it was due, however late somebody looks."""
    store.add(session("x", state="STOP_IN_PROGRESS", due=5))
    store.add(session("y", state="STOP_IN_PROGRESS", due=7))
    store.settle(6)
    found = store.find("s", "x")
    assert found is not None
    assert (found.state, found.updated_at, found.pending) == ("STOPPED", 5, None)
    later = store.find("s", "y")
    assert later is not None
    assert later.state == "STOP_IN_PROGRESS"


def test_settled_stays_settled(store: Store) -> None:
    """A clock that goes back does not undo anything."""
    store.add(session("x", state="STOP_IN_PROGRESS", due=5))
    store.settle(6)
    store.settle(1)
    found = store.find("s", "x")
    assert found is not None
    assert found.state == "STOPPED"


def test_completing_by_hand(store: Store) -> None:
    """Transitions are completed one by one or all together, due or not."""
    store.add(session("x", state="STOP_IN_PROGRESS"))
    store.add(session("y", state="START_IN_PROGRESS", due=99))
    store.add(session("z"))
    assert store.complete(3, studio_id="s", session_id="x") == 1
    assert store.complete(3, studio_id="s", session_id="x") == 0
    assert store.complete(4, studio_id=None, session_id=None) == 1
    found = store.find("s", "y")
    assert found is not None
    assert (found.state, found.updated_at) == ("READY", 4)


def test_completing_what_is_overdue(store: Store) -> None:
    """A transition that was over before anybody looked ended when it was due."""
    store.add(session("x", state="STOP_IN_PROGRESS", due=5))
    assert store.complete(9, studio_id="s", session_id="x") == 1
    found = store.find("s", "x")
    assert found is not None
    assert found.updated_at == 5


def test_pages_are_in_the_order_of_creation(store: Store) -> None:
    """A page goes on where the last one ended, also when sessions came and went in between."""
    for name in "abcde":
        store.add(session(name))
    first = store.page("s", after=0, limit=2, owned_by=None, created_by=None, session_ids=None)
    store.add(session("f"))
    assert [found.session_id for found in first] == ["a", "b"]
    assert page(store, after=first[-1].sequence) == ["c", "d", "e", "f"]


def test_filters_combine(store: Store) -> None:
    """Every filter that is given has to fit; deleted sessions are left out."""
    store.add(session("a", ownedBy="me"))
    store.add(session("b", ownedBy="me", createdBy="you"))
    store.add(session("c", ownedBy="me", createdBy="you", state="DELETED"))
    store.add(session("d", createdBy="you"))
    assert page(store, owned_by="me") == ["a", "b"]
    assert page(store, created_by="you") == ["b", "d"]
    assert page(store, owned_by="me", created_by="you", session_ids=["d", "b", "x\0"]) == ["b"]
    assert page(store, session_ids=[]) == []


def test_as_many_ids_as_a_request_can_hold(store: Store) -> None:
    """A filter as long as a target may be is no problem for the database."""
    store.add(session("a"))
    assert page(store, session_ids=["a"] * 32_700) == ["a"]


def test_a_studio_is_known_by_its_sessions(store: Store) -> None:
    """A studio is there from its first session on, even a deleted one."""
    assert not store.has_studio("s")
    store.add(session("a", state="DELETED"))
    assert store.has_studio("s")


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    """What fails in the middle leaves nothing behind, and the store works on."""
    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        _add_and_fail(store)
    assert store.count() == 0
    with store.transaction():
        store.add(session("a"))
    assert store.count() == 1


def _add_and_fail(store: Store) -> None:
    store.add(session("a"))
    for _ in range(2):
        store.remember("c", "Stop", "t", b"d", b"b")


def test_a_failed_commit_leaves_nothing_open(store: Store) -> None:
    """After SQLite itself ended a transaction the next one can begin."""
    with pytest.raises(sqlite3.OperationalError, match="no transaction"), store.transaction():
        store._database.execute("ROLLBACK")
    with store.transaction():
        store.add(session("a"))
    assert store.count() == 1


def test_answers_are_kept_by_caller_operation_and_token(store: Store) -> None:
    """An answer belongs to all three, byte for byte."""
    store.remember("c", "Stop", "t", b"digest", b"\x00body")
    assert store.recall("c", "Stop", "t") == (b"digest", b"\x00body")
    for other in (("d", "Stop", "t"), ("c", "Start", "t"), ("c", "Stop", "T")):
        assert store.recall(*other) is None


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    """A file keeps sessions, answers and the secret."""
    path = str(tmp_path / "x.db")
    first = Store(path)
    first.add(session("a", state="STOP_IN_PROGRESS", due=5))
    first.remember("c", "Stop", "t", b"d", b"b")
    secret = first.secret
    first.close()
    second = Store(path)
    second.settle(6)
    found = second.find("s", "a")
    assert found is not None
    assert found.state == "STOPPED"
    assert second.recall("c", "Stop", "t") == (b"d", b"b")
    assert second.secret == secret
    second.close()


def test_clearing_forgets_everything(store: Store) -> None:
    """Neither sessions nor answers are left."""
    store.add(session("a"))
    store.remember("c", "Stop", "t", b"d", b"b")
    store.clear()
    assert store.count() == 0
    assert store.recall("c", "Stop", "t") is None


def test_nothing_on_the_hot_path_reads_a_whole_table(store: Store) -> None:
    """Every statement that a request needs is answered from an index."""
    store.add(session("x", state="STOP_IN_PROGRESS", due=5))
    statements: list[str] = []
    store._database.set_trace_callback(statements.append)
    store.settle(6)
    found = store.find("s", "x")
    assert found is not None
    store.change(found)
    page(store)
    store.has_studio("s")
    store.recall("c", "Stop", "t")
    store._database.set_trace_callback(None)
    assert len(statements) == 7
    for statement in statements:
        plan = str(store._database.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall())
        assert "SEARCH" in plan
        assert "SCAN sessions" not in plan
