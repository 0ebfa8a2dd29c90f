"""What runs in a worker of somebody else's executor: a client, and one batch of stops.

What is pickled for it is how to make a client, never a client's credentials.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.exceptions import ConfigurationError, RequestValidationError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from nimble_stop._client.base import BaseClient
    from nimble_stop._client.sync_client import NimbleClient
    from nimble_stop._config.options import Options
    from nimble_stop._flows.bulk import BulkOptions, StopResult

_READ_BY_CLIENTS: Final = re.compile("HOME|AWS_.*|.*_PROXY", re.IGNORECASE)


@attrs.frozen
class Recipe:
    """How a worker makes its client: from the same options, with credentials of its own."""

    options: Options

    def client(self) -> NimbleClient:
        """Give the worker's client; a process makes one and keeps it for further batches."""
        return _client_of(self.options, _environment())


@attrs.frozen
class Given:
    """The caller's own client, for executors whose workers are threads of this process."""

    given: NimbleClient

    def client(self) -> NimbleClient:
        """Give the client."""
        return self.given


def _environment() -> tuple[tuple[str, str], ...]:
    """Give what a client may read from the environment: another one needs another client."""
    names = (name for name in sorted(os.environ) if _READ_BY_CLIENTS.fullmatch(name))
    return tuple((name, os.environ[name]) for name in names)


@lru_cache(maxsize=4)
def _client_of(options: Options, environment: tuple[tuple[str, str], ...]) -> NimbleClient:
    del environment
    from nimble_stop._client.sync_client import NimbleClient

    return NimbleClient(**attrs.asdict(options, recurse=False))


def source_for(
    executor: Executor, client: BaseClient, options: Options, *, has_credentials: bool
) -> Recipe | Given:
    """Choose how the workers get their client.

    Raises:
        RequestValidationError: It is no executor.
        ConfigurationError: Credentials that were passed in would have to be pickled.
    """
    from nimble_stop._client.sync_client import NimbleClient

    if not callable(getattr(executor, "submit", None)):
        raise RequestValidationError(
            "executor must be a concurrent.futures.Executor or None, not "
            f"{type(executor).__name__}."
        )
    if isinstance(client, NimbleClient) and isinstance(executor, ThreadPoolExecutor):
        return Given(client)
    if has_credentials:
        raise ConfigurationError(
            "credentials= would have to be pickled for the workers of the executor, secret and "
            "all. Leave credentials= out, so that each worker finds its own by AWS_PROFILE, "
            "environment or role, or use NimbleClient with a ThreadPoolExecutor."
        )
    return Recipe(options)


def stop_batch(
    source: Recipe | Given, session_ids: list[str], options: BulkOptions, submission: str = ""
) -> list[StopResult]:
    """Stop the sessions of one batch; this is what runs in a worker.

    Args:
        source: How to get a client.
        session_ids: The sessions' ids.
        options: How to stop them.
        submission: Makes this call unlike any other: Dask answers equal calls from one result.
    """
    del submission
    run = source.client().stop_sessions(
        options.studio_id,
        session_ids,
        retention=options.retention,
        run_id=options.run_id,
        max_concurrency=options.max_concurrency,
        wait=options.wait,
    )
    return list(run)
