"""Connection pools for tests, and one request over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nimble_stop._transport.connection import ConnectionPool
from tests.support.clients import make_config
from tests.support.scripted import DATA, HANG_GUARD

if TYPE_CHECKING:
    from nimble_stop._transport.http import ResponseReader
    from nimble_stop._transport.proxy import Proxy
    from tests.support.clock import ManualClock

MESSAGE = memoryview(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
TRUSTED = str(DATA / "server.crt")


class Pools:
    """Makes pools, and closes them."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._pools: list[ConnectionPool] = []

    def __call__(self, url: str, proxy: Proxy | None = None, **settings: Any) -> ConnectionPool:  # noqa: ANN401 - a configuration's own fields
        """Make a pool."""
        pool = ConnectionPool(make_config(self._clock, url, **settings), proxy)
        self._pools.append(pool)
        return pool

    def close(self) -> None:
        """Close all pools."""
        for pool in self._pools:
            pool.close()


def exchange(pool: ConnectionPool, **limits: float) -> ResponseReader:
    """Send a request, within generous limits."""
    return pool.exchange(
        MESSAGE, **{"connect": HANG_GUARD, "read": HANG_GUARD, "total": HANG_GUARD, **limits}
    )
