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
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nimble_stop.local.storage.busy import StoreBusyError, is_busy
from nimble_stop.local.storage.database import open_database, transaction
from nimble_stop.local.storage.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from nimble_stop.local.storage.tables import Change


class Store:
    """The sessions and the answers that were given; safe to use from several threads.

    Args:
        path: The database file, created when it does not exist; ``":memory:"`` keeps nothing.
        on_change: Called with the changes after sessions have changed, with None when all of them
            may have; outside of all locks.
    """

    def __init__(
        self, path: str, on_change: Callable[[list[Change] | None], None] = lambda _: None
    ) -> None:
        self._lock = threading.Lock()
        self._database = open_database(path)
        self._tables = Tables(self._database)
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
