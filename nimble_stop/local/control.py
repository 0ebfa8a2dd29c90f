"""What can be done to the endpoint while it runs, by a test or over the admin API.

This module owns what an endpoint holds: the sessions, their transitions and their time, the faults
and the journal. How the endpoint starts, stops and is reached is `nimble_stop.local.endpoint`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from nimble_stop._api.converter import structure_session
from nimble_stop.local.endpoint_options import EndpointOptions, with_arguments_of
from nimble_stop.local.events import EventHub
from nimble_stop.local.faults.fault_file import read_faults
from nimble_stop.local.faults.rules import FaultRule, FaultRules
from nimble_stop.local.journal import Journal
from nimble_stop.local.storage.clock import time_after
from nimble_stop.local.storage.store import Sessions
from nimble_stop.local.studio.document import (
    State,
    add_session,
    add_sessions,
    describe_clock,
    describe_session,
    read_sessions,
    read_state,
    write_session,
)
from nimble_stop.local.studio.lifecycle import Circumstances, new_session
from nimble_stop.local.studio.members import check_identifier, members_to_wire, state_to_wire
from nimble_stop.local.studio.sample import SAMPLE_STUDIO_ID, sample_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nimble_stop.local.api.exchange import RequestRecord
    from nimble_stop.local.storage.tables import StoredSession, Tables
    from nimble_stop.local.studio.session_operations import Operations
    from nimble_stop.models import StreamingSession

_Result = TypeVar("_Result")


def not_running() -> RuntimeError:
    """Make the error of what needs a running endpoint."""
    return RuntimeError("the endpoint is not running; use 'with LocalNimble() as local:'")


class Control:
    """The sessions, faults, journal, clock and events of an endpoint.

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
        self._open: Operations | None = None
        self._last_keys: list[tuple[str, str]] | None = None

    # Sessions

    @property
    def sessions(self) -> Sessions:
        """All sessions as they are now, deleted ones too."""
        return Sessions(self._operations.store)

    def session_documents(self) -> list[dict[str, object]]:
        """Read all sessions at once, deleted ones too, in the order of creation.

        Returns:
            Each session in wire form, with its ``studioId`` and, while it is in one, its
            ``transition``, as `export` has it.
        """
        return list(map(describe_session, self._use(lambda tables: tables.sessions())))

    def session_document(self, studio_id: str, session_id: str) -> dict[str, object] | None:
        """Read one session, as `session_documents` does, or None when there is none."""
        session = self._use(lambda tables: tables.find(studio_id, session_id))
        return None if session is None else describe_session(session)

    def add_session_documents(self, documents: Iterable[object]) -> list[dict[str, object]]:
        """Add sessions that are given as in a seed file: all of them or, with an error, none.

        Returns:
            The sessions as `session_documents` returns them.

        Raises:
            TypeError: A member is missing, unknown or of a wrong type; the message names it.
            ValueError: A value is not allowed, or a session exists; the message names it.
        """
        sessions = read_sessions(documents, self._circumstances(self.now))
        self._use(lambda tables: add_sessions(tables, sessions))
        return list(map(describe_session, sessions))

    def add_session(
        self,
        *,
        studio_id: str,
        session_id: str,
        state: str = "READY",
        **members: object,
    ) -> StreamingSession:
        """Add a session, as if somebody had created it before.

        Args:
            studio_id: The studio; it exists with its first session.
            session_id: The session's id, new in its studio.
            state: Its state. In a state of transition it is about to leave it.
            **members: Its other members under snake_case or wire names. Times are aware datetimes
                or RFC 3339 texts. None leaves a member out that has a default.

        Returns:
            The session as a client will read it.

        Raises:
            TypeError: There is no such member, or its value is of a wrong type.
            ValueError: The studio has a session of that id, or a value is not allowed.
        """

        def add(tables: Tables) -> StoredSession:
            session = new_session(
                check_identifier("studio_id", studio_id),
                check_identifier("session_id", session_id),
                state=state_to_wire(state),
                members=members_to_wire(members),
                circumstances=self._circumstances(tables.now),
            )
            return add_session(tables, session)

        return structure_session(self._use(add).members)

    def remove_session(self, studio_id: str, session_id: str) -> None:
        """Remove a session, as if it had never been there; a client finds it no more.

        Raises:
            ValueError: There is none of that id.
        """
        if not self._use(lambda tables: tables.remove(studio_id, session_id)):
            raise ValueError(f"there is no session {session_id!r} in studio {studio_id!r}")

    def add_sample_studio(self, studio_id: str = SAMPLE_STUDIO_ID) -> None:
        """Add a small animation studio with sessions in several states, to try things out.

        Raises:
            ValueError: The studio has some of these sessions already.
        """
        self._use(lambda tables: self._add(tables, sample_sessions(studio_id, tables.now)))

    def complete(self, studio_id: str, session_id: str) -> None:
        """Complete the transition that a session is in, now.

        Raises:
            ValueError: The session is in no transition, or there is none of that id.
        """
        if not self._use(lambda tables: tables.complete((studio_id, session_id))):
            raise ValueError(f"session {session_id!r} of {studio_id!r} is in no transition")

    def complete_all(self) -> int:
        """Complete all transitions, now, and return how many there were."""
        return self._use(lambda tables: tables.complete())

    # The sessions' time

    @property
    def now(self) -> float:
        """The sessions' time, in seconds since 1970 UTC."""
        return self._use(lambda tables: tables.now)

    @property
    def skipped_seconds(self) -> float:
        """How far the sessions' time is ahead of the server's, in seconds."""
        return self._use(lambda tables: tables.skipped_seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass for the sessions; signatures and the ``Date`` header do not notice.

        The store keeps it, also over a restart on the same file.

        Args:
            seconds: How many seconds, 0 or more.

        Raises:
            ValueError: The number is negative or not finite, or leads beyond the year 9999.
        """

        def advance(tables: Tables) -> dict[str, object]:
            tables.skip(seconds)
            tables.complete_due()
            return describe_clock(tables)

        moved = self._use(advance)
        self.events.publish("clock", lambda: moved)

    # Faults

    @with_arguments_of(FaultRule)
    def inject(self, rule: FaultRule) -> FaultRule:
        """Let something go wrong, such as ``inject(Latency(2), session_id="artist-1", times=1)``.

        It takes the arguments of `FaultRule`.

        Returns:
            The rule; its ``fired`` counts how often it happened.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: An argument has a value that is not allowed.
        """
        self.inject_rules([rule])
        return rule

    def inject_rules(self, rules: Sequence[FaultRule]) -> None:
        """Put rules into force, such as `nimble_stop.local.load_faults` reads from a file."""
        self._faults.add(rules)
        self.events.publish_faults(self._faults)

    @property
    def faults(self) -> tuple[FaultRule, ...]:
        """The rules in force, in the order in which they were added."""
        return tuple(self._faults)

    def remove_fault(self, rule_id: int) -> None:
        """Take one rule out of force, by its ``id``.

        Raises:
            ValueError: There is no such rule in force.
        """
        if not self._faults.remove(rule_id):
            raise ValueError(f"there is no fault with the id {rule_id!r}")
        self.events.publish_faults(self._faults)

    def clear_faults(self) -> None:
        """Take all rules out of force."""
        self._faults.clear()
        self.events.publish_faults(self._faults)

    # The state as a whole

    def export(self) -> dict[str, object]:
        """Return the sessions, the clock and the faults as one JSON document.

        Its members are ``schemaVersion`` (1), ``clock`` (``{"skippedSeconds": number}``),
        ``sessions`` (a list of sessions in wire form with ``studioId``, and ``transition`` for one
        in transition) and ``faults`` (a list of objects as in a fault file). What a fault has
        counted is taken off its ``times`` and ``skip``. Client tokens and the journal are no part
        of it.
        """
        skipped_seconds, sessions, faults = self._use(
            lambda tables: (tables.skipped_seconds, tables.sessions(), self._faults.remaining())
        )
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

    # For the endpoint

    def _add(self, tables: Tables, entries: Iterable[object]) -> None:
        add_sessions(tables, read_sessions(entries, self._circumstances(tables.now)))

    def _circumstances(self, now: float) -> Circumstances:
        return self._operations.circumstances(now, self.options.keys[0].access_key_id)

    def _request_recorded(self, record: RequestRecord) -> None:
        self.events.publish("request", record.to_dict)
        if record.faults:
            # They have counted it.
            self.events.publish_faults(self._faults)
        if self.options.on_request is not None:
            self.options.on_request(record)

    def _session_keys(self) -> list[tuple[str, str]] | None:
        """List the sessions that there are, or were when the store was closed; None if unknown."""
        return self._last_keys if self._open is None else list(Sessions(self._open.store))

    def _use(self, work: Callable[[Tables], _Result]) -> _Result:
        return self._operations.store.use(work)

    @property
    def _operations(self) -> Operations:
        if self._open is None:
            raise not_running()
        return self._open
