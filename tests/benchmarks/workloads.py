"""What is measured: one workload a process, which prints its figure.

    python workloads.py WORKLOAD CLIENT

The clients are imported inside the workloads, because importing is part of some figures.
"""

from __future__ import annotations

import resource
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CALLS = 1000
_ROUNDS = 3
_STOPS = 3000
_IN_FLIGHT = 32


def _boto3(**config: Any) -> Any:  # noqa: ANN401 - boto3 has no types of its own
    boto3: Any = import_module("boto3")  # it has no types of its own
    botocore_config: Any = import_module("botocore.config")
    return boto3.client("nimble", config=botocore_config.Config(**config))


def _stop_with(client: Any) -> Callable[[str], object]:  # noqa: ANN401 - likewise
    def stop(session_id: str) -> object:
        return client.stop_streaming_session(
            studioId="studio-1", sessionId=session_id, volumeRetentionMode="RETAIN"
        )

    return stop


def _stop_function(client: str) -> Callable[[str], object]:
    if client == "boto3":
        return _stop_with(_boto3())
    if client == "bare":
        from floor import SyncFloor  # type: ignore[import-not-found] # it stands beside this script

        bare: Callable[[str], object] = SyncFloor().stop
        return bare
    import nimble_stop

    ours = nimble_stop.NimbleClient()
    return lambda session_id: ours.stop_session("studio-1", session_id, retention="RETAIN")


def cpu(client: str) -> float:
    """Client CPU of one sync stop, in microseconds."""
    stop = _stop_function(client)
    for _ in range(100):
        stop("session-1")
    rounds: list[float] = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for _ in range(_CALLS):
            stop("session-1")
        rounds.append((time.process_time() - started) / _CALLS * 1e6)
    return min(rounds)


def memory(client: str) -> float:
    """Peak memory after the first call, in MiB."""
    _stop_function(client)("session-1")
    return _peak()


def many(client: str) -> float:
    """Wall clock of 3,000 stops with 32 in flight, in milliseconds."""
    import asyncio

    run = {
        "boto3": lambda: _many_threads(_stop_with(_boto3(max_pool_connections=_IN_FLIGHT))),
        "bare": _many_bare,
        "bare async": lambda: asyncio.run(_bare_async_stops()),
        "nimble_stop": _many_sync,
        "nimble_stop async": lambda: asyncio.run(_async_stops()),
    }
    return run[client]()  # type: ignore[no-untyped-call] # likewise


def _many_bare() -> float:
    from floor import SyncFloor

    bare: Callable[[str], object] = SyncFloor(_IN_FLIGHT).stop
    return _many_threads(bare)


def _many_threads(stop: Callable[[str], object]) -> float:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        list(pool.map(stop, _ids(200)))
        started = time.perf_counter()
        list(pool.map(stop, _ids(_STOPS)))
        return (time.perf_counter() - started) * 1e3


def _many_sync() -> float:
    import nimble_stop

    with nimble_stop.NimbleClient(max_connections=_IN_FLIGHT) as client:
        _sync_stops(client, 200)
        started = time.perf_counter()
        _sync_stops(client, _STOPS)
        return (time.perf_counter() - started) * 1e3


def _sync_stops(client: Any, count: int) -> None:  # noqa: ANN401 - imported late
    results = client.stop_sessions(
        "studio-1", _ids(count), retention="RETAIN", max_concurrency=_IN_FLIGHT
    )
    _check(sum(result.error is None for result in results), count)


async def _bare_async_stops() -> float:
    import asyncio

    import aiohttp
    from floor import AsyncFloor

    async with aiohttp.ClientSession() as session:
        stop = AsyncFloor(session).stop
        started = 0.0
        for count in (200, _STOPS):
            started = time.perf_counter()
            ids = _ids(count)

            async def work(ids: Iterator[str] = ids) -> None:
                for session_id in ids:
                    await stop(session_id)

            await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
        return (time.perf_counter() - started) * 1e3


async def _async_stops() -> float:
    import nimble_stop

    async with nimble_stop.AsyncNimbleClient(max_connections=_IN_FLIGHT) as client:
        started = 0.0
        for count in (200, _STOPS):
            started = time.perf_counter()
            results = client.stop_sessions(
                "studio-1", _ids(count), retention="RETAIN", max_concurrency=_IN_FLIGHT
            )
            _check(len([result async for result in results if result.error is None]), count)
        return (time.perf_counter() - started) * 1e3


def growth(count: str) -> float:
    """Peak memory of a bulk stop of so many sessions, in MiB."""
    import nimble_stop

    with nimble_stop.NimbleClient(max_connections=_IN_FLIGHT) as client:
        _sync_stops(client, int(count))
    return _peak()


def _ids(count: int) -> Iterator[str]:
    return (f"session-{number}" for number in range(count))


def _check(found: int, expected: int) -> None:
    if found != expected:
        raise SystemExit(f"{found} of {expected} stops succeeded")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


WORKLOADS = {"cpu": cpu, "memory": memory, "many": many, "growth": growth}

if __name__ == "__main__":
    sys.stdout.write(f"{WORKLOADS[sys.argv[1]](sys.argv[2])}\n")
