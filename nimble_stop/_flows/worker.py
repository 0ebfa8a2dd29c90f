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

    from nimble_stop._call.observer import Parent
    from nimble_stop._flows.results import BulkOptions, StopResult
    from nimble_stop.models import VolumeRetentionMode

# What a client may read from the environment: another value needs another client.
_READ_BY_CLIENTS: Final = re.compile("HOME|AWS_.*|.*_PROXY", re.IGNORECASE)


class BatchClient(Protocol):
    """What a batch needs of a client."""

    def stop_sessions(
        self,
        studio_id: str,
        session_ids: Iterable[str],
        *,
        retention: VolumeRetentionMode | str | None,
        run_id: str,
        max_concurrency: int,
        wait: bool,
    ) -> Iterable[StopResult]:
        """Stop many sessions, and give a result for each."""
        ...


@attrs.frozen(eq=False)
class Batch:
    """What is submitted to an executor.

    Args:
        client: The client, as `pack` prepared it.
        session_ids: The sessions' ids.
        options: How to stop them.
        submission: Makes it unlike any other: Dask answers equal calls from one result.
        parent: What observes the run, or None.
    """

    client: BatchClient | bytes
    session_ids: list[str]
    options: BulkOptions
    submission: str = ""
    parent: Parent | None = None


def pack(client: BatchClient, executor: Executor) -> BatchClient | bytes:
    """Prepare a client for the workers: threads of this process share it, others get a pickle.

    Raises:
        ConfigurationError: Credentials that were passed in would have to be pickled.
    """
    if isinstance(executor, ThreadPoolExecutor):
        return client
    try:
        return pickle.dumps(client)
    except (AttributeError, TypeError, pickle.PicklingError):
        # One with a function of the caller's. It still serves an executor that does not pickle.
        return client
    except ConfigurationError as refusal:
        raise ConfigurationError(
            "credentials= would have to be pickled for the workers of the executor, secret and "
            "all. Leave credentials= out, so that each worker finds its own by AWS_PROFILE, "
            "environment or role, or use NimbleClient with a ThreadPoolExecutor."
        ) from refusal


def stop_batch(batch: Batch) -> list[StopResult]:
    """Stop the sessions of one batch; this is what runs in a worker."""
    client, options = batch.client, batch.options
    if isinstance(client, bytes):
        client = _unpacked(client, _environment())
    with batch.parent.current() if batch.parent else nullcontext():
        return list(
            client.stop_sessions(
                options.studio_id,
                batch.session_ids,
                retention=options.retention,
                run_id=options.run_id,
                max_concurrency=options.max_concurrency,
                wait=options.wait,
            )
        )


@lru_cache(maxsize=4)
def _unpacked(packed: bytes, environment: tuple[tuple[str, str], ...]) -> BatchClient:
    """Make the client that all batches of a process share."""
    del environment
    return cast("BatchClient", pickle.loads(packed))  # noqa: S301 - our own caller pickled it


def _environment() -> tuple[tuple[str, str], ...]:
    names = (name for name in sorted(os.environ) if _READ_BY_CLIENTS.fullmatch(name))
    return tuple((name, os.environ[name]) for name in names)
