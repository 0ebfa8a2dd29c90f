"""The endpoint's sessions as a mapping, for tests to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nimble_stop._api.converter import structure_session
from nimble_stop.local.studio.session import session_to_wire
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from nimble_stop.local.storage.store import Store
    from nimble_stop.local.studio.clock import Clock

__all__ = ["Sessions"]


class Sessions(Mapping[tuple[str, str], StreamingSession]):
    """All sessions of the endpoint, each under ``studio_id, session_id``, as they are now."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def __getitem__(self, key: tuple[str, str]) -> StreamingSession:
        self._store.settle(self._clock())
        session = self._store.find(*key)
        if session is None:
            raise KeyError(key)
        return structure_session(session_to_wire(session))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._store.keys())

    def __len__(self) -> int:
        return self._store.count()

    def __repr__(self) -> str:
        return f"<Sessions: {len(self)}>"
