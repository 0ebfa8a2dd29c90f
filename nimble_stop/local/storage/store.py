"""What the endpoint remembers: exclusive access to the tables, and transactions.

A change and the record of its answer are one transaction, committed before the answer leaves, so
what was answered is in the store whenever the process dies. A transition that is under way is a due
time in a row, never a timer, so a restart continues where the last process ended. Nothing here
waits, so that the server's event loop never stands still: while another thread or process uses the
store, `StoreBusyError` is raised and the caller waits in its own way.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar, cast

from nimble_stop._api.converter import structure_session
from nimble_stop.local.storage.busy import StoreBusyError, is_busy, wait_while_busy
from nimble_stop.local.storage.database import open_database, transaction
from nimble_stop.local.storage.tables import Change, Tables
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from nimble_stop.local.storage.clock import Clock

_Result = TypeVar("_Result")


class Store:
    """The sessions and the answers that were given; safe to use from several threads.

    Args:
        path: The database file, created when it does not exist; ``":memory:"`` keeps nothing.
        clock: The server's time.
        on_change: Called with the changes after sessions have changed, with None when all of them
            may have; outside of all locks.
    """

    def __init__(
        self,
        path: str,
        clock: Clock,
        on_change: Callable[[list[Change] | None], None] = lambda _: None,
    ) -> None:
        self._lock = threading.Lock()
        self._database = open_database(path)
        self._tables = Tables(self._database, clock)
        self._on_change = on_change

    def close(self) -> None:
        """Close the database. Nothing else may be called afterwards."""
        with self._lock:
            self._database.close()

    @contextmanager
    def access(self) -> Generator[Tables]:
        """Use the tables alone; each change is kept at once."""
        if not self._lock.acquire(blocking=False):
            raise StoreBusyError
        try:
            yield self._tables
        except sqlite3.OperationalError as error:
            raise (StoreBusyError() if is_busy(error) else error) from error
        finally:
            changes = self._tables.take_changes()
            self._lock.release()
            if changes is None or changes:
                self._on_change(changes)

    @contextmanager
    def transaction(self) -> Generator[Tables]:
        """Use the tables alone; all changes are kept together or, when it raises, none."""
        with self.access() as tables:
            try:
                with transaction(self._database):
                    yield tables
            except BaseException:
                tables.take_changes()
                raise

    def use(self, work: Callable[[Tables], _Result]) -> _Result:
        """Do something in one transaction, and wait on this thread while others use the store."""

        def attempt() -> _Result:
            with self.transaction() as tables:
                return work(tables)

        return wait_while_busy(attempt)


class Sessions(Mapping[tuple[str, str], StreamingSession]):
    """All sessions of the endpoint, each under ``studio_id, session_id``, as they are now."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, key: tuple[str, str]) -> StreamingSession:
        match cast("object", key):
            case (str(), str()):
                session = self._read(lambda tables: tables.find(*key))
            case _:
                raise TypeError(
                    "a session's key is its studio id and its session id, as in "
                    f"sessions['studio-1', 'session-1'], not {key!r}"
                )
        if session is None:
            raise KeyError(key)
        return structure_session(session.members)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._read(lambda tables: tables.keys()))

    def __len__(self) -> int:
        return self._read(lambda tables: tables.count())

    def __repr__(self) -> str:
        return f"<Sessions: {len(self)}>"

    def _read(self, read: Callable[[Tables], _Result]) -> _Result:
        def attempt() -> _Result:
            with self._store.access() as tables:
                return read(tables)

        return wait_while_busy(attempt)
