from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from nimble_stop._api.converter import parse_timestamp
from nimble_stop.local.storage.database import open_database
from nimble_stop.local.storage.tables import Tables
from tests.local.support import Clock, stored_session as session

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator


@pytest.fixture
def database() -> Generator[sqlite3.Connection]:
    """An empty database."""
    with closing(open_database(":memory:")) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    """The server's time."""
    return Clock()


@pytest.fixture
def tables(database: sqlite3.Connection, clock: Clock) -> Tables:
    """Its tables."""
    return Tables(database, clock)


def state(tables: Tables, session_id: str) -> tuple[str, float]:
    """Read a session's state, and since when it is in it."""
    found = tables.find("s", session_id)
    assert found is not None
    return found.state, parse_timestamp(found.members["updatedAt"]).timestamp()


def page(tables: Tables, **options: Any) -> list[str]:  # noqa: ANN401  # as in the method
    """List the ids of a page."""
    arguments: dict[str, Any] = {"after": 0, "limit": 100, **options}
    return [found.session_id for found in tables.page("s", **arguments)]


def test_a_session_comes_back_as_it_was_stored(tables: Tables) -> None:
    """Every member survives."""
    original = session("x", state="STOP_IN_PROGRESS", due=5, ownedBy="me", tags={"a": "ü"})
    assert tables.add(original)
    found = tables.find("s", "x")
    assert found is not None
    assert found.sequence > 0
    assert found == attrs.evolve(original, sequence=found.sequence)
    assert list(found.members) == sorted(found.members)


def test_an_id_is_unique_in_its_studio(tables: Tables) -> None:
    """The same id can be in two studios and only once in each."""
    assert tables.add(session("x"))
    assert not tables.add(session("x", ownedBy="other"))
    assert tables.add(session("x", studio_id="t"))
    assert tables.keys() == [("s", "x"), ("t", "x")]
    assert tables.count() == 2
    assert [found.studio_id for found in tables.sessions()] == ["s", "t"]


def test_a_removed_session_was_never_there(tables: Tables) -> None:
    """A row can be deleted, once."""
    tables.add(session("x"))
    assert tables.remove("s", "x")
    assert not tables.remove("s", "x")
    assert not tables.has_studio("s")


def test_what_is_due_is_completed_as_of_its_own_time(tables: Tables, clock: Clock) -> None:
    """A transition ends when it was due, however late it is completed."""
    tables.add(session("x", state="STOP_IN_PROGRESS", due=5))
    tables.add(session("y", state="STOP_IN_PROGRESS", due=7))
    clock.now = 4
    assert tables.complete_due() == 0
    clock.now = 6
    assert tables.complete_due() == 1
    assert state(tables, "x") == ("STOPPED", 5)
    assert state(tables, "y")[0] == "STOP_IN_PROGRESS"


def test_completed_stays_completed(tables: Tables, clock: Clock) -> None:
    """A clock that goes back does not undo anything."""
    tables.add(session("x", state="STOP_IN_PROGRESS", due=5))
    clock.now = 6
    tables.complete_due()
    clock.now = 1
    assert state(tables, "x")[0] == "STOPPED"


def test_completing_by_hand(tables: Tables, clock: Clock) -> None:
    """Transitions are completed one by one or all together, due or not."""
    tables.add(session("x", state="STOP_IN_PROGRESS"))
    tables.add(session("y", state="START_IN_PROGRESS", due=99))
    tables.add(session("z"))
    assert tables.complete(("s", "x"))
    assert not tables.complete(("s", "x"))
    clock.now = 4
    assert tables.complete() == 1
    assert state(tables, "y") == ("READY", 4)


def test_completing_what_is_overdue(tables: Tables, clock: Clock) -> None:
    """A transition that was over before ended when it was due."""
    tables.add(session("x", state="STOP_IN_PROGRESS", due=5))
    clock.now = 9
    assert tables.complete(("s", "x"))
    assert state(tables, "x") == ("STOPPED", 5)


def test_skipped_seconds_add_up(tables: Tables, clock: Clock) -> None:
    """The sessions' time is the server's and all that was skipped."""
    clock.now = 1000
    for seconds in (1.5, 2, 0):
        tables.skip(seconds)
    assert tables.now == 1003.5


def test_pages_are_in_the_order_of_creation(tables: Tables) -> None:
    """A page continues where the last one ended, also when sessions came in between."""
    for name in "abcde":
        tables.add(session(name))
    first = tables.page("s", after=0, limit=2)
    tables.add(session("f"))
    assert [found.session_id for found in first] == ["a", "b"]
    assert page(tables, after=first[-1].sequence) == ["c", "d", "e", "f"]


def test_filters_combine(tables: Tables) -> None:
    """Every filter that is given has to fit; deleted sessions are left out."""
    tables.add(session("a", ownedBy="me"))
    tables.add(session("b", ownedBy="me", createdBy="you"))
    tables.add(session("c", ownedBy="me", createdBy="you", state="DELETED"))
    tables.add(session("d", createdBy="you"))
    assert page(tables, owned_by="me") == ["a", "b"]
    assert page(tables, created_by="you") == ["b", "d"]
    assert page(tables, owned_by="me", created_by="you", session_ids=["d", "b", "x\0"]) == ["b"]
    assert page(tables, session_ids=[]) == []


def test_as_many_ids_as_anybody_can_send(tables: Tables) -> None:
    """A filter may name more ids than SQLite takes parameters."""
    tables.add(session("a"))
    assert page(tables, session_ids=["a"] * 100_000) == ["a"]


def test_a_studio_is_known_by_its_sessions(tables: Tables) -> None:
    """A studio is there from its first session on, even a deleted one."""
    assert not tables.has_studio("s")
    tables.add(session("a", state="DELETED"))
    assert tables.has_studio("s")


def test_answers_are_kept_by_caller_operation_and_token(tables: Tables) -> None:
    """An answer belongs to all three, byte for byte."""
    tables.remember("c", "Stop", "t", b"digest", b"\x00body")
    assert tables.recall("c", "Stop", "t") == (b"digest", b"\x00body")
    for other in (("d", "Stop", "t"), ("c", "Start", "t"), ("c", "Stop", "T")):
        assert tables.recall(*other) is None


def test_clearing_forgets_everything(tables: Tables) -> None:
    """Neither sessions nor answers are left, and no time is skipped."""
    tables.add(session("a"))
    tables.remember("c", "Stop", "t", b"d", b"b")
    tables.set_skipped_seconds(5)
    tables.clear()
    assert tables.count() == 0
    assert tables.recall("c", "Stop", "t") is None
    assert tables.skipped_seconds == 0


def test_changes_are_reported_once(tables: Tables, clock: Clock) -> None:
    """Each change of a session holds it as it is then; clearing may concern all."""
    tables.add(session("x", state="STOP_IN_PROGRESS", due=5))
    tables.add(session("x"))
    clock.now = 5
    tables.complete_due()
    tables.remove("s", "x")
    changes = tables.take_changes()
    assert changes is not None
    assert [(*names, changed and changed.state) for *names, changed in changes] == [
        ("s", "x", "STOP_IN_PROGRESS"),
        ("s", "x", "STOPPED"),
        ("s", "x", None),
    ]
    assert tables.take_changes() == []
    tables.clear()
    tables.add(session("y"))
    assert tables.take_changes() is None


def test_very_many_changes(tables: Tables, clock: Clock) -> None:
    """Of very many changes it is reported only that all sessions may have changed."""
    for number in range(26):
        tables.add(session(f"{number}", state="STOP_IN_PROGRESS", due=5))
    assert tables.take_changes() is None
    clock.now = 5
    assert tables.complete_due() == 26
    assert tables.take_changes() is None


def test_nothing_that_a_request_needs_reads_a_whole_table(
    database: sqlite3.Connection, tables: Tables, clock: Clock
) -> None:
    """Every statement is answered from an index, so its cost does not grow with the store."""
    tables.add(session("x", state="STOP_IN_PROGRESS", due=5))
    statements: list[str] = []
    database.set_trace_callback(statements.append)
    clock.now = 6
    tables.complete_due()
    found = tables.find("s", "x")
    assert found is not None
    tables.change(found)
    page(tables)
    page(tables, owned_by="me")
    page(tables, created_by="me")
    page(tables, session_ids=["x"])
    tables.has_studio("s")
    tables.recall("c", "Stop", "t")
    database.set_trace_callback(None)
    # A table of one row.
    statements.remove("SELECT skipped_seconds FROM clock")
    assert len(statements) == 10
    for statement in statements:
        plan = [row["detail"] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert any("SEARCH" in step for step in plan)
        if "json_each" in statement:
            assert any("session_id=?" in step for step in plan)
        assert not any("SCAN sessions" in step for step in plan)
        if "LIMIT" in statement and "json_each" not in statement:
            assert not any("TEMP B-TREE" in step for step in plan)
