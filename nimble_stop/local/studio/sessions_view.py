"""The endpoint's sessions as a mapping, for tests to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from nimble_stop._api.converter import structure_session
from nimble_stop.local.storage.busy import wait_while_busy
from nimble_stop.local.studio.clock import Clock, find_session
from nimble_stop.local.studio.session import session_to_wire
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop.local.storage.store import Store
    from nimble_stop.local.storage.tables import Tables

_Result = TypeVar("_Result")


class Sessions(Mapping[tuple[str, str], StreamingSession]):
    """All sessions of the endpoint, each under ``studio_id, session_id``, as they are now."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def __getitem__(self, key: tuple[str, str]) -> StreamingSession:
        match cast("object", key):
            case (str(), str()):
                session = self._read(lambda tables: find_session(self._clock, tables, *key))
            case _:
                raise TypeError(
                    "a session's key is its studio id and its session id, as in "
                    f"sessions['studio-1', 'session-1'], not {key!r}"
                )
        if session is None:
            raise KeyError(key)
        return structure_session(session_to_wire(session))

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
