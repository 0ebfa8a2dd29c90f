"""The journal: what the endpoint received and how it answered.

It is there for tests to ask what a client really did. It keeps the newest records only, and an
assertion that would need older ones, or that is about a session that there never was, fails and
says so, rather than being wrong.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Final, overload

from nimble_stop.local.api.exchange import RequestRecord
from nimble_stop.local.api.operation_table import OPERATIONS
from nimble_stop.local.faults.checks import check_name, suggestion

_logger: Final = logging.getLogger("nimble_stop.local")
_SHOWN_IN_A_FAILURE: Final = 20
_STOP: Final = "StopStreamingSession"

# Enough for the tests of a day, in a few tens of megabytes.
JOURNAL_SIZE: Final = 20_000
"""How many records a journal keeps by default."""


class Journal(Sequence[RequestRecord]):
    """The newest requests, oldest first; safe to read while requests come in.

    Its assertions raise `AssertionError` with the requests in the message, also when the journal
    had to drop some, or when there is no such session and no request named it; and `ValueError`
    when there is no such operation. A studio's id is needed when several have a session of that id.

    Args:
        size: How many records are kept.
        on_add: Called with each new record.
        on_clear: Called after it was cleared.
        sessions: Returns the studio id and session id of every session that there is, so that an
            assertion about another one is refused; None when nobody knows.
    """

    def __init__(
        self,
        size: int = JOURNAL_SIZE,
        on_add: Callable[[RequestRecord], None] = lambda _: None,
        on_clear: Callable[[], None] = lambda: None,
        sessions: Callable[[], Iterable[tuple[str, str]] | None] = lambda: None,
    ) -> None:
        self._on_add = on_add
        self._on_clear = on_clear
        self._sessions = sessions
        self._records: deque[RequestRecord] = deque(maxlen=size)
        self._lock = threading.Lock()
        self.dropped: int = 0
        """How many records had to go because there were too many."""
        # Of the records to come.
        self.numbers: Iterator[int] = count(1)

    def add(self, record: RequestRecord) -> None:
        """Keep a record, in the place of the oldest if need be."""
        with self._lock:
            if len(self._records) == self._records.maxlen:
                self.dropped += 1
            self._records.append(record)
        try:
            self._on_add(record)
        except Exception:
            # Whoever listens cannot change what a client is answered.
            _logger.exception("a listener to requests failed")

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()
            self.dropped = 0
        self._on_clear()

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> RequestRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RequestRecord]: ...
    def __getitem__(self, index: int | slice) -> RequestRecord | Sequence[RequestRecord]:
        with self._lock:
            return list(self._records)[index] if isinstance(index, slice) else self._records[index]

    def __iter__(self) -> Iterator[RequestRecord]:
        # Not by index, as `Sequence` does: the records move up when the oldest goes.
        return iter(self[:])

    def __repr__(self) -> str:
        return f"<Journal of {len(self)} requests>"

    def matching(
        self,
        *,
        operation: str | None = None,
        studio_id: str | None = None,
        session_id: str | None = None,
        client_token: str | None = None,
        applied: bool | None = None,
    ) -> list[RequestRecord]:
        """List the requests that have all the given properties, oldest first.

        Raises:
            ValueError: There is no such operation.
        """
        __tracebackhide__ = True
        if operation is not None:
            check_name("operation", operation, OPERATIONS)
        wanted = {
            "operation": operation,
            "studio_id": studio_id,
            "session_id": session_id,
            "client_token": client_token,
            "applied": applied,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        return [
            record
            for record in self
            if all(getattr(record, name) == value for name, value in given.items())
        ]

    def assert_stopped_once(self, session_id: str, *, studio_id: str | None = None) -> None:
        """Check that a session was stopped by exactly one request, however many were sent."""
        __tracebackhide__ = True
        self.assert_applied(1, operation=_STOP, session_id=session_id, studio_id=studio_id)

    def assert_not_stopped(self, session_id: str, *, studio_id: str | None = None) -> None:
        """Check that no request stopped a session."""
        __tracebackhide__ = True
        self.assert_applied(0, operation=_STOP, session_id=session_id, studio_id=studio_id)

    def assert_none_stopped_twice(self) -> None:
        """Check that no session was stopped by more than one request, however many there are."""
        __tracebackhide__ = True
        applied = self.matching(operation=_STOP, applied=True)
        counts = Counter((record.studio_id, record.session_id) for record in applied)
        twice = [record for record in applied if counts[record.studio_id, record.session_id] > 1]
        self._assert(
            not twice,
            f"every session should have been stopped once at most, and "
            f"{sum(count > 1 for count in counts.values())} were more often",
            twice,
        )

    def assert_applied(
        self,
        times: int,
        *,
        operation: str,
        session_id: str | None = None,
        studio_id: str | None = None,
    ) -> None:
        """Check how many requests changed something, of one session or of all."""
        __tracebackhide__ = True
        seen = self._seen(operation, session_id, studio_id)
        applied = sum(record.applied for record in seen)
        self._assert(
            applied == times,
            f"{operation}{_of(session_id)} should have been applied {_times(times)}, "
            f"and was {_times(applied)}",
            seen,
        )

    def assert_attempts(
        self, times: int, *, operation: str | None = None, session_id: str | None = None
    ) -> None:
        """Check how many requests came in, of one operation or all, of one session or all."""
        __tracebackhide__ = True
        seen = self._seen(operation, session_id)
        self._assert(
            len(seen) == times,
            f"{operation or 'Requests'}{_of(session_id)} should have come in {_times(times)}, "
            f"and did {_times(len(seen))}",
            seen,
        )

    def assert_one_token(self, session_id: str, *, studio_id: str | None = None) -> None:
        """Check that there were stops of a session, all with the same client token."""
        __tracebackhide__ = True
        seen = self._seen(_STOP, session_id, studio_id)
        tokens = {record.client_token for record in seen}
        self._assert(
            len(tokens) == 1 and None not in tokens,
            f"{_STOP}{_of(session_id)} should have carried one client token, "
            f"and carried {len(tokens - {None})}",
            seen,
        )

    def _seen(
        self, operation: str | None, session_id: str | None, studio_id: str | None = None
    ) -> list[RequestRecord]:
        """List requests; refuse a session that there never was, a misspelled one mostly."""
        __tracebackhide__ = True
        known = self._sessions()
        if known is not None:
            # A client may have named one that there is not.
            named = {(record.studio_id, record.session_id) for record in self}
            for kind, wanted, place in (("studio", studio_id, 0), ("session", session_id, 1)):
                names = {str(pair[place]) for pair in (*known, *named) if pair[place]}
                if wanted is not None and wanted not in names:
                    raise AssertionError(
                        f"there is no {kind} {wanted!r}, and no request named it"
                        f"{suggestion(wanted, names)}"
                    )
        return self.matching(operation=operation, session_id=session_id, studio_id=studio_id)

    def _assert(self, holds: bool, message: str, seen: Sequence[RequestRecord]) -> None:  # noqa: FBT001  # what is asserted
        __tracebackhide__ = True
        if self.dropped:
            raise AssertionError(
                f"the journal dropped its {self.dropped} oldest records and does not know; "
                "make it larger with LocalNimble(journal_size=...)"
            )
        if not holds:
            shown = [f"  {record}" for record in seen[-_SHOWN_IN_A_FAILURE:]] or ["  none"]
            if len(seen) > len(shown):
                shown.insert(0, f"  ({len(seen) - len(shown)} more)")
            raise AssertionError("\n".join([f"{message}; the requests were:", *shown]))


def _of(session_id: str | None) -> str:
    return "" if session_id is None else f" of session {session_id!r}"


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")
