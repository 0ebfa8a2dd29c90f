"""What can be done to the endpoint while it runs, by a test or over the admin API.

This module owns the sessions, the transitions, the faults, the journal, the clock and the reset.
How the endpoint starts, stops and is reached is `nimble_stop.local.endpoint`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop._api.converter import structure_session
from nimble_stop.local.events import EventHub, EventKind
from nimble_stop.local.faults.rules import FaultRule, FaultRules
from nimble_stop.local.journal import Journal
from nimble_stop.local.studio.clock import Clock, SessionClock
from nimble_stop.local.studio.members import check_identifier, members_to_wire, state_to_wire
from nimble_stop.local.studio.operations import Operations
from nimble_stop.local.studio.sample import SAMPLE_STUDIO_ID, sample_sessions
from nimble_stop.local.studio.session import new_session, session_to_wire
from nimble_stop.local.studio.sessions_view import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nimble_stop.local.faults.kinds import Fault
    from nimble_stop.local.request_record import RequestRecord
    from nimble_stop.local.storage.store import Store
    from nimble_stop.models import StreamingSession

__all__ = ["Control", "not_running"]


class Control:
    """The sessions, faults, journal, clock and events of an endpoint.

    All methods may be called from any thread. Those that need the store wait while another thread
    or process uses it.
    """

    def __init__(
        self,
        *,
        transition_seconds: float | None,
        access_key_id: str,
        region_name: str,
        clock: Clock,
        journal_size: int,
        on_request: Callable[[RequestRecord], None] | None,
    ) -> None:
        self._transition_seconds = transition_seconds
        self._access_key_id = access_key_id
        self._region_name = region_name
        self._session_clock = SessionClock(clock)
        self._faults = FaultRules()
        self._on_request = on_request
        self._journal = Journal(journal_size, self._publish_request)
        self._events = EventHub()
        self._open_store: Store | None = None

    @property
    def events(self) -> EventHub:
        """What changes, as it changes: sessions, requests, faults, the clock, a reset."""
        return self._events

    # Its sessions

    @property
    def sessions(self) -> Sessions:
        """All sessions as they are now, deleted ones too.

        Raises:
            RuntimeError: It is not running.
        """
        return Sessions(self._store, self._session_clock)

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
            studio_id: The studio; it comes into being with its first session.
            session_id: The session's id, new in its studio.
            state: Its state. In a state of transition it is about to leave it.
            **members: Its other members under snake_case or wire names. Times are aware datetimes
                or RFC 3339 texts. None leaves a member out that has a default.

        Returns:
            The session as a client will read it.

        Raises:
            RuntimeError: It is not running.
            TypeError: There is no such member, or its value is of a wrong type.
            ValueError: The studio has a session of that id, or a value is not allowed.
        """
        operations = self._operations
        now = self._session_clock()
        session = new_session(
            check_identifier("studio_id", studio_id),
            check_identifier("session_id", session_id),
            region_name=self._region_name,
            state=state_to_wire(state),
            now=now,
            due=operations.due(now),
            caller=self._access_key_id,
            members=members_to_wire(members),
        )
        if not operations.store.add(session):
            raise ValueError(f"studio {studio_id!r} has a session {session_id!r} already")
        self._publish_sessions()
        return structure_session(session_to_wire(session))

    def add_sample_studio(self, studio_id: str = SAMPLE_STUDIO_ID) -> None:
        """Add a small animation studio with sessions in several states, to try things out.

        Args:
            studio_id: The studio's id.

        Raises:
            RuntimeError: It is not running.
            ValueError: The studio has some of these sessions already.
        """
        for session_id, state, members in sample_sessions(self._session_clock()):
            self.add_session(studio_id=studio_id, session_id=session_id, state=state, **members)

    def complete(self, studio_id: str, session_id: str) -> None:
        """Complete the transition that a session is in, now.

        Raises:
            RuntimeError: It is not running.
            ValueError: The session is in no transition, or there is none of that id.
        """
        now = self._session_clock()
        if not self._store.complete(now, studio_id=studio_id, session_id=session_id):
            raise ValueError(f"session {session_id!r} of {studio_id!r} is in no transition")
        self._publish_sessions()

    def complete_all(self) -> int:
        """Complete all transitions, now.

        Returns:
            How many there were.

        Raises:
            RuntimeError: It is not running.
        """
        completed = self._store.complete(self._session_clock(), studio_id=None, session_id=None)
        self._publish_sessions()
        return completed

    def advance(self, seconds: float) -> None:
        """Let time pass for the sessions; signatures and the ``Date`` header do not notice.

        Args:
            seconds: How many seconds, 0 or more.

        Raises:
            RuntimeError: It is not running.
            ValueError: The number is negative or not finite.
        """
        store = self._store
        self._session_clock.advance(seconds)
        store.settle(self._session_clock())
        self._publish_clock()
        self._publish_sessions()

    # What goes wrong, and what came in

    def inject(
        self,
        fault: Fault,
        *,
        operation: str | None = None,
        studio_id: str | None = None,
        session_id: str | None = None,
        times: int | None = None,
        skip: int = 0,
        probability: float = 1.0,
        seed: int = 0,
    ) -> FaultRule:
        """Let something go wrong.

        Args:
            fault: What happens, one of `nimble_stop.local.faults.kinds`.
            operation: Only to requests for this operation, such as ``"StopStreamingSession"``.
            studio_id: Only to requests for this studio.
            session_id: Only to requests for this session.
            times: How often at most; None for ever.
            skip: How many requests that fit are let through first.
            probability: How likely it happens to a request that fits, from 0 to 1.
            seed: What the probability's dice start from: the same seed, the same sequence.

        Returns:
            The rule; its ``fired`` tells how often it happened.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: An argument has a value that is not allowed.
        """
        rule = FaultRule(
            fault,
            operation=operation,
            studio_id=studio_id,
            session_id=session_id,
            times=times,
            skip=skip,
            probability=probability,
            seed=seed,
        )
        self.inject_rules([rule])
        return rule

    def inject_rules(self, rules: Sequence[FaultRule]) -> None:
        """Let several things go wrong, such as `nimble_stop.local.load_faults` read from a file."""
        for rule in rules:
            self._faults.add(rule)
        self._publish_faults()

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._faults.clear()
        self._publish_faults()

    @property
    def requests(self) -> Journal:
        """What came in and how it was answered, oldest first."""
        return self._journal

    def reset(self) -> None:
        """Forget everything: sessions, client tokens, faults, requests and the time skipped.

        Raises:
            RuntimeError: It is not running.
        """
        self._store.clear()
        self._faults.clear()
        self._journal.clear()
        self._session_clock.reset()
        self._events.publish(EventKind.RESET, dict)

    # Events

    def complete_due_transitions(self) -> None:
        """Complete the transitions that are due, while somebody watches the events.

        Transitions need no timer: whoever reads a session completes them first. A page that only
        waits for events reads nothing, so the server calls this now and then.
        """
        store = self._open_store
        if store is not None and self._events.reader_count:
            store.settle(self._session_clock())

    def _publish_request(self, record: RequestRecord) -> None:
        self._events.publish(EventKind.REQUEST, record.to_dict)
        if record.applied:
            self._publish_sessions()
        if self._on_request is not None:
            self._on_request(record)

    def _publish_sessions(self) -> None:
        self._events.publish(EventKind.SESSIONS, lambda: {"sessions": None})

    def _publish_faults(self) -> None:
        self._events.publish(EventKind.FAULTS, lambda: {"faults": []})

    def _publish_clock(self) -> None:
        self._events.publish(EventKind.CLOCK, self._clock_data)

    def _clock_data(self) -> Mapping[str, object]:
        return {"now": self._session_clock(), "skipped": self._session_clock.skipped}

    @property
    def _store(self) -> Store:
        if self._open_store is None:
            raise not_running()
        return self._open_store

    @property
    def _operations(self) -> Operations:
        return Operations(
            store=self._store,
            clock=self._session_clock,
            transition_seconds=self._transition_seconds,
            region_name=self._region_name,
        )


def not_running() -> RuntimeError:
    """Make the error of what needs a running endpoint."""
    return RuntimeError("the endpoint is not running; use 'with LocalNimble() as local:'")
