"""The endpoint's sessions as a mapping, for tests to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, cast

from nimble_stop._api.converter import structure_session
from nimble_stop.local.storage.busy import wait_while_busy
from nimble_stop.local.studio.clock import Clock, session_time
from nimble_stop.local.studio.session import session_to_wire
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from nimble_stop.local.storage.store import Store
    from nimble_stop.local.storage.stored_session import StoredSession

__all__ = ["Sessions"]

_KEY_PARTS: Final = 2


class Sessions(Mapping[tuple[str, str], StreamingSession]):
    """All sessions of the endpoint, each under ``studio_id, session_id``, as they are now."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def __getitem__(self, key: tuple[str, str]) -> StreamingSession:
        _check_key(key)
        session = wait_while_busy(lambda: self._find(*key))
        if session is None:
            raise KeyError(key)
        return structure_session(session_to_wire(session))

    def _find(self, studio_id: str, session_id: str) -> StoredSession | None:
        with self._store.access() as tables:
            tables.complete_due(session_time(self._clock, tables))
            return tables.find(studio_id, session_id)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(wait_while_busy(self._keys))

    def _keys(self) -> list[tuple[str, str]]:
        with self._store.access() as tables:
            return tables.keys()

    def __len__(self) -> int:
        return wait_while_busy(self._count)

    def _count(self) -> int:
        with self._store.access() as tables:
            return tables.count()

    def __repr__(self) -> str:
        return f"<Sessions: {len(self)}>"


def _check_key(key: object) -> None:
    parts = cast("tuple[object, ...]", key) if isinstance(key, tuple) else ()
    if len(parts) != _KEY_PARTS or not all(isinstance(part, str) for part in parts):
        raise TypeError(
            "a session's key is its studio id and its session id, as in "
            f"sessions['studio-1', 'session-1'], not {key!r}"
        )
