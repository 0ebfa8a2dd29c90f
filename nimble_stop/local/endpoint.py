"""`LocalNimble`: the embedded endpoint as a user holds it.

This module owns what a user can tell it: where it stands, how it begins and ends, what is in it
and what goes wrong. What is answered is decided in `nimble_stop.local.service`.
"""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Final, Self

from nimble_stop._api.converter import structure_session
from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import defaults
from nimble_stop.local.api.signature import AccessKey
from nimble_stop.local.defaults import REGION_NAME as DEFAULT_REGION_NAME
from nimble_stop.local.faults.rules import FaultRule, FaultRules
from nimble_stop.local.journal import Journal
from nimble_stop.local.service import Service
from nimble_stop.local.studio.clock import Clock, SessionClock
from nimble_stop.local.studio.members import check_identifier, members_to_wire, state_to_wire
from nimble_stop.local.studio.operations import Operations
from nimble_stop.local.studio.sample import SAMPLE_STUDIO_ID, sample_sessions
from nimble_stop.local.studio.session import new_session, session_to_wire
from nimble_stop.local.studio.sessions_view import Sessions
from nimble_stop.local.web.hosting import Hosting
from nimble_stop.local.web.server_thread import url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from botocore.credentials import Credentials

    from nimble_stop.local.faults.kinds import Fault
    from nimble_stop.local.request_record import RequestRecord
    from nimble_stop.local.storage.store import Store
    from nimble_stop.models import StreamingSession

__all__ = ["DEFAULT_REGION_NAME", "LocalNimble"]

# The region is one part of a signature's scope, between slashes.
_REGION: Final = re.compile(r"(?!\d+\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)


class LocalNimble:
    """A Nimble Studio of your own: a real HTTP server with sessions in a store.

    It checks signatures, keeps state and can be told to fail. Use it as a context manager, or call
    `start` and `close`. All methods may be called from any thread.

    Args:
        db: The SQLite file that keeps everything, also over restarts; ``":memory:"`` keeps nothing.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        transition_seconds: How long a transition such as ``STOP_IN_PROGRESS`` takes, in seconds
            (fractions too). With 0 the next request finds it completed. None leaves it to
            `complete` and `complete_all`.
        credentials: The key pairs that are accepted, one or several; one of its own if None. One
            with a session token is a temporary one.
        region_name: The region that signatures must be made for.
        clock: The server's clock, seconds since 1970 UTC; for its dates and for signatures.
        max_skew_seconds: How far a signature's date may be off; `math.inf` accepts any.
        journal_size: How many requests the journal keeps.
        on_request: Called with each request as it is answered, in the server's thread.

    Raises:
        ValueError: An argument cannot be used.
        ConfigurationError: The region's name is none.
    """

    def __init__(
        self,
        *,
        db: str = defaults.DB,
        host: str = defaults.HOST,
        port: int = defaults.PORT,
        transition_seconds: float | None = defaults.TRANSITION_SECONDS,
        credentials: AccessKey | Sequence[AccessKey] | None = None,
        region_name: str = defaults.REGION_NAME,
        clock: Clock = time.time,
        max_skew_seconds: float = defaults.MAX_SKEW_SECONDS,
        journal_size: int = defaults.JOURNAL_SIZE,
        on_request: Callable[[RequestRecord], None] | None = None,
    ) -> None:
        if transition_seconds is not None and not 0 <= transition_seconds < math.inf:
            raise ValueError(
                "transition_seconds must be a finite number, 0 or more, or None, "
                f"not {transition_seconds!r}"
            )
        if not max_skew_seconds >= 0:
            raise ValueError(f"max_skew_seconds must be 0 or more, not {max_skew_seconds!r}")
        if journal_size < 0:
            raise ValueError(f"journal_size must be 0 or more, not {journal_size!r}")
        if credentials is None:
            credentials = defaults.ACCESS_KEY
        keys = (credentials,) if isinstance(credentials, AccessKey) else tuple(credentials)
        if not keys:
            raise ValueError("credentials must hold at least one key pair")
        self._db = db
        self._host = host
        self._port = port
        self._transition_seconds = transition_seconds
        self._keys = keys
        if _REGION.fullmatch(region_name) is None:
            raise ConfigurationError(
                f"region_name is {region_name!r}, which is no region name: letters, digits and "
                "hyphens, such as 'us-west-2'."
            )
        self._region_name = region_name
        self._clock = clock
        self._max_skew_seconds = max_skew_seconds
        self._session_clock = SessionClock(clock)
        self._faults = FaultRules()
        self._journal = Journal(journal_size, on_request)
        self._hosting: Hosting | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LocalNimble {self.endpoint_url if self._hosting else 'not running'}>"

    # Its life

    def bind(self) -> Self:
        """Open the store and take the port, without serving yet. `start` does it by itself.

        Raises:
            ConfigurationError: The store or the address cannot be used.
        """
        if self._hosting is None:
            self._hosting = Hosting(self._db, self._host, self._port)
            # A restart comes back under the same address.
            self._port = self._hosting.port
        return self

    def start(self) -> Self:
        """Serve, in a thread of its own, until `close`.

        After `close` it may be called again: the port is the same, and so are the sessions when
        they are in a file.

        Raises:
            ConfigurationError: The store or the address cannot be used.
        """
        self.bind()
        if self._running.is_serving:
            return self
        service = Service(
            operations=self._operations,
            keys={key.access_key_id: key for key in self._keys},
            region_name=self._region_name,
            clock=self._clock,
            max_skew_seconds=self._max_skew_seconds,
            faults=self._faults,
            journal=self._journal,
        )
        self._running.serve(service)
        return self

    def close(self) -> None:
        """Stop serving, within about a second, whatever connections are open.

        The journal stays readable. Calling it again does nothing.
        """
        if self._hosting is not None:
            self._hosting.close()
            self._hosting = None

    # How to reach it

    @property
    def endpoint_url(self) -> str:
        """The URL to give to a client as ``endpoint_url``.

        Raises:
            RuntimeError: It is not running, so it has no port yet.
        """
        return url_of(self._host, self._running.port)

    @property
    def region_name(self) -> str:
        """The region to give to a client."""
        return self._region_name

    @property
    def credentials(self) -> Credentials:
        """The first key pair, as botocore's and so this package's clients take it."""
        from botocore.credentials import Credentials

        key = self._keys[0]
        return Credentials(key.access_key_id, key.secret_access_key, key.session_token)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that lead a client of this API here.

        Raises:
            RuntimeError: It is not running, so it has no port yet.
        """
        key = self._keys[0]
        variables = {
            "AWS_ENDPOINT_URL_NIMBLE": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_DEFAULT_REGION": self._region_name,
        }
        if key.session_token is not None:
            variables["AWS_SESSION_TOKEN"] = key.session_token
        return variables

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
            caller=self._keys[0].access_key_id,
            members=members_to_wire(members),
        )
        if not operations.store.add(session):
            raise ValueError(f"studio {studio_id!r} has a session {session_id!r} already")
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

    def complete_all(self) -> int:
        """Complete all transitions, now.

        Returns:
            How many there were.

        Raises:
            RuntimeError: It is not running.
        """
        return self._store.complete(self._session_clock(), studio_id=None, session_id=None)

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

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._faults.clear()

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

    @property
    def _running(self) -> Hosting:
        if self._hosting is None:
            raise RuntimeError("the endpoint is not running; use 'with LocalNimble() as local:'")
        return self._hosting

    @property
    def _store(self) -> Store:
        return self._running.store

    @property
    def _operations(self) -> Operations:
        return Operations(
            store=self._store,
            clock=self._session_clock,
            transition_seconds=self._transition_seconds,
            region_name=self._region_name,
        )
