"""What an endpoint holds: its store, its faults, its journal and its events.

This module owns the state as a whole, how it is read and changed, and what is published of it.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from os import PathLike
from typing import TYPE_CHECKING, Final, TypeVar

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.events import EventHub
from nimble_stop.local.faults.fault_file import describe_rule, read_faults
from nimble_stop.local.faults.rules import FaultRules
from nimble_stop.local.journal import Journal
from nimble_stop.local.storage.busy import StoreBusyError, wait_while_busy
from nimble_stop.local.storage.clock import time_after
from nimble_stop.local.storage.store import Sessions
from nimble_stop.local.studio.document import (
    State,
    add_sessions,
    describe_session,
    read_seed,
    read_sessions,
    read_state,
    write_session,
)
from nimble_stop.local.studio.sample import SAMPLE_STUDIO_ID, sample_sessions
from nimble_stop.local.studio.session_operations import Operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nimble_stop.local.api.exchange import RequestRecord
    from nimble_stop.local.endpoint_options import EndpointOptions
    from nimble_stop.local.faults.rules import FaultRule
    from nimble_stop.local.storage.store import Store
    from nimble_stop.local.storage.tables import Change, StoredSession, Tables
    from nimble_stop.local.studio.lifecycle import Circumstances

__all__ = ["EndpointState", "not_running"]

_Result = TypeVar("_Result")
_logger: Final = logging.getLogger("nimble_stop.local")


class EndpointState:
    """The state of an endpoint.

    All methods may be called from any thread. Those that need the store raise `RuntimeError` while
    the endpoint is not running. While another thread or process uses the store they wait, for 5
    seconds at most, and raise `StoreBusyError` then.
    """

    def __init__(self, options: EndpointOptions) -> None:
        self.options: EndpointOptions = options
        """What the endpoint was made with."""
        self.events: EventHub = EventHub()
        """What changes, as it changes: sessions, requests, faults, the clock, a reset."""
        self.requests: Journal = Journal(
            options.journal_size,
            on_add=self._request_recorded,
            on_clear=lambda: self.events.publish("cleared", dict),
            sessions=self._session_keys,
        )
        """What came in and how it was answered, oldest first."""
        self._faults = FaultRules()
        self._faults.add(read_faults(options.faults))
        self._last_keys: list[tuple[str, str]] | None = None
        self._open_store: Store | None = None

    @property
    def region_name(self) -> str:
        """The region to give to a client."""
        return self.options.region_name

    def export(self) -> dict[str, object]:
        """Return the sessions, the clock and the faults as one JSON document.

        Its members are ``schemaVersion`` (1), ``clock`` (``{"skippedSeconds": number}``),
        ``sessions`` (a list of sessions in wire form with ``studioId``, and ``transition`` for one
        in transition) and ``faults`` (a list of objects as in a fault file). What a fault has
        counted is taken off its ``times`` and ``skip``. Client tokens and the journal are no part
        of it.
        """

        def read(tables: Tables) -> tuple[float, Iterator[StoredSession], list[FaultRule]]:
            return tables.skipped_seconds, tables.sessions(), self._faults.remaining()

        skipped_seconds, sessions, faults = self._read(read)
        return State(skipped_seconds, list(map(write_session, sessions)), faults).to_dict()

    def import_(self, document: Mapping[str, object]) -> None:
        """Replace the sessions, the clock and the faults by those of a document.

        Client tokens are forgotten, the journal stays. Nothing is changed when something in the
        document is wrong.

        Args:
            document: What `export` returned, or a part of it: what it does not hold is empty.

        Raises:
            TypeError: A value is of a wrong type, or there is no such member; the message names it.
            ValueError: A value is not allowed; the message names it.
            ConfigurationError: A fault is not one; the message names the key.
        """
        state = read_state(document)
        now = time_after(state.skipped_seconds, self.options.clock())
        # Reading takes longer than adding, and others use the store meanwhile.
        sessions = read_sessions(state.sessions, self._circumstances(now))

        def replace(tables: Tables) -> None:
            tables.clear()
            tables.set_skipped_seconds(state.skipped_seconds)
            add_sessions(tables, sessions)

        self._use(replace)
        self._faults.clear()
        self._faults.add(state.faults)
        self.events.publish("reset", dict)

    def reset(self) -> None:
        """Forget everything: sessions, client tokens, faults, requests and the time skipped."""
        self._use(lambda tables: tables.clear())
        self._faults.clear()
        self.requests.clear()
        self.events.publish("reset", dict)

    @property
    def store_status(self) -> str:
        """How the store answers at this moment, ``ok``, ``busy`` or ``failed``; never waits."""
        try:
            with self._store.transaction():
                return "ok"
        except StoreBusyError:
            return "busy"
        except sqlite3.Error:
            return "failed"

    def complete_due_transitions(self) -> None:
        """Complete the transitions that are due, while somebody reads the events.

        Transitions need no timer: whoever reads a session completes them first. A page that only
        waits for events reads nothing, so the server calls this now and then. What other processes
        have changed in the store's file is noticed here too.
        """
        store = self._open_store
        if store is None or not self.events.reader_count:
            return
        try:
            with store.access() as tables:
                tables.note_changes_of_others()
                tables.complete_due()
        except StoreBusyError:
            # The next call comes soon.
            return
        except Exception:
            _logger.exception("transitions were not completed")

    # For the endpoint

    def _fill_empty_store(self) -> None:
        """Add what the options say, when there are no sessions."""
        seed = self.options.seed
        if seed is None and not self.options.sample:
            return
        try:
            state = State() if seed is None else read_seed(seed)
            if self._use(lambda tables: self._fill(tables, state)):
                self._faults.add(state.faults)
        except (TypeError, ValueError) as error:
            if isinstance(seed, str | PathLike):
                raise ConfigurationError(f"In {str(seed)!r}: {error}.") from error
            raise

    def _fill(self, tables: Tables, state: State) -> bool:
        # In one transaction with what is added: two processes may open one new file at once.
        if tables.count():
            return False
        tables.skip(state.skipped_seconds)
        if self.options.sample:
            self._add_sample(tables, SAMPLE_STUDIO_ID)
        self._add(tables, state.sessions)
        return True

    def _add_sample(self, tables: Tables, studio_id: str) -> None:
        self._add(tables, sample_sessions(studio_id, tables.now))

    def _add(self, tables: Tables, entries: Iterable[object]) -> None:
        add_sessions(tables, read_sessions(entries, self._circumstances(tables.now)))

    def _session_keys(self) -> list[tuple[str, str]] | None:
        """List the sessions that there are, or were when the store was closed; None if unknown."""
        store = self._open_store
        return self._last_keys if store is None else list(Sessions(store))

    def _remember_sessions(self) -> None:
        """Keep the sessions' ids for the journal, before the store is closed; never waits."""
        with suppress(StoreBusyError, sqlite3.Error), self._store.access() as tables:
            self._last_keys = tables.keys()

    def _sessions_changed(self, changes: list[Change] | None) -> None:
        """Publish changes of sessions; the store calls this after each."""
        self.events.publish(
            "sessions",
            lambda: {"sessions": None if changes is None else list(map(_describe_change, changes))},
        )

    def _request_recorded(self, record: RequestRecord) -> None:
        self.events.publish("request", record.to_dict)
        if record.faults:
            # They have counted it.
            self._publish_faults()
        if self.options.on_request is not None:
            self.options.on_request(record)

    def _publish_faults(self) -> None:
        self.events.publish(
            "faults",
            lambda: {"faults": [describe_rule(rule) for rule in self._faults]},
        )

    def _circumstances(self, now: float) -> Circumstances:
        return self._operations.circumstances(now, self.options.keys[0].access_key_id)

    def _use(self, work: Callable[[Tables], _Result]) -> _Result:
        """Do something with the tables in one transaction, as soon as nobody else uses them."""
        store = self._store

        def attempt() -> _Result:
            with store.transaction() as tables:
                return work(tables)

        return wait_while_busy(attempt)

    def _read(self, work: Callable[[Tables], _Result]) -> _Result:
        """Do the same when the transitions that are due are completed."""

        def read(tables: Tables) -> _Result:
            tables.complete_due()
            return work(tables)

        return self._use(read)

    @property
    def _store(self) -> Store:
        if self._open_store is None:
            raise not_running()
        return self._open_store

    @property
    def _operations(self) -> Operations:
        return Operations(
            store=self._store,
            transition_seconds=self.options.transition_seconds,
            region_name=self.region_name,
        )


def _describe_change(change: Change) -> dict[str, object]:
    studio_id, session_id, session = change
    if session is None:
        return {"studioId": studio_id, "sessionId": session_id, "state": None}
    return describe_session(session)


def not_running() -> RuntimeError:
    """Make the error of what needs a running endpoint."""
    return RuntimeError("the endpoint is not running; use 'with LocalNimble() as local:'")
