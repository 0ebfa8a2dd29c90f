"""What runs in a worker of an executor: a client, and one batch of stops.

A client is pickled for it as what it was asked for, never with credentials.
"""

from __future__ import annotations

import os
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, cast

import attrs

from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Executor

    from nimble_stop._call.telemetry import Activity, RemoteParent
    from nimble_stop._flows.results import BulkOptions, StopResult

# What a client may read from the environment.
_READ_BY_CLIENTS: Final = re.compile("HOME|AWS_.*|.*_PROXY", re.IGNORECASE)


class StopBatch(Protocol):
    """Stops some sessions, as a method of a client; so a client is all that is pickled for it."""

    def __call__(
        self, session_ids: Iterable[str], options: BulkOptions, /
    ) -> Iterable[StopResult]: ...


@attrs.frozen(eq=False)
class Batch:
    """What is submitted to an executor.

    ``stop`` is as `pack` prepared it. ``submission`` makes the batch unlike any other: Dask answers
    equal calls from one result. ``parent`` is the span that the calls are children of.
    """

    stop: StopBatch | bytes
    session_ids: list[str]
    options: BulkOptions
    submission: str = ""
    parent: Activity | RemoteParent | None = None


def pack(stop: StopBatch, executor: Executor) -> StopBatch | bytes:
    """Prepare a client's method for the workers: threads of this process share the client."""
    if isinstance(executor, ThreadPoolExecutor):
        return stop
    try:
        return pickle.dumps(stop)
    except (AttributeError, TypeError, pickle.PicklingError):
        # A client with a function of the caller's. It still serves an executor without pickles.
        return stop
    except ConfigurationError as refusal:
        raise ConfigurationError(
            "credentials= would have to be pickled for the workers of the executor, secret and "
            "all. Leave credentials= out, so that each worker finds its own by AWS_PROFILE, "
            "environment or role, or use NimbleClient with a ThreadPoolExecutor."
        ) from refusal


def stop_batch(batch: Batch) -> list[StopResult]:
    """Stop the sessions of one batch; this is what runs in a worker."""
    stop = batch.stop
    if isinstance(stop, bytes):
        stop = _unpacked(stop, _environment())
    with batch.parent.current() if batch.parent else nullcontext():
        return list(stop(batch.session_ids, batch.options))


@lru_cache(maxsize=4)
def _unpacked(packed: bytes, environment: tuple[tuple[str, str], ...]) -> StopBatch:
    # The environment is a part of the cache's key alone: another one needs another client.
    del environment
    return cast("StopBatch", pickle.loads(packed))  # noqa: S301 - our own caller pickled it


def _environment() -> tuple[tuple[str, str], ...]:
    names = (name for name in sorted(os.environ) if _READ_BY_CLIENTS.fullmatch(name))
    return tuple((name, os.environ[name]) for name in names)
