from __future__ import annotations

import pickle
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop import AsyncNimbleClient, NimbleClient
from nimble_stop._flows.bulk import BulkOptions
from nimble_stop._flows.worker import Given, Recipe, source_for, stop_batch
from nimble_stop.exceptions import (
    ConfigurationError,
    RequestValidationError,
    ResourceNotFoundException,
)
from nimble_stop.local import LocalNimble

if TYPE_CHECKING:
    from collections.abc import Callable


def make(kind: Callable[..., Any]) -> Any:  # noqa: ANN401 - a client of either kind
    """Make a client."""
    return kind(region_name="us-west-2", endpoint_url="http://127.0.0.1:1")


def test_threads_share_the_client() -> None:
    """In threads of this process the workers use the caller's own client."""
    client = make(NimbleClient)
    with ThreadPoolExecutor() as pool:
        source = source_for(pool, client, client._options, has_credentials=True)

    assert source == Given(client)
    assert source.client() is client


@pytest.mark.parametrize("kind", [NimbleClient, AsyncNimbleClient])
def test_others_make_their_own(kind: Callable[..., Any]) -> None:
    """Elsewhere a worker makes a sync client of the same options."""
    client = make(kind)
    source = source_for(Executor(), client, client._options, has_credentials=False)

    assert source == Recipe(client._options)
    made = source.client()
    assert isinstance(made, NimbleClient)
    assert made._options == client._options


def test_given_credentials_are_not_pickled() -> None:
    """Credentials that were passed in do not go to another process."""
    client = make(NimbleClient)
    with pytest.raises(ConfigurationError, match="credentials="):
        source_for(Executor(), client, client._options, has_credentials=True)


@pytest.mark.parametrize("executor", ["pool", 7, object()])
def test_no_executor(executor: Any) -> None:  # noqa: ANN401 - wrong on purpose
    """What is no executor is refused."""
    client = make(NimbleClient)
    with pytest.raises(RequestValidationError, match="executor must be"):
        source_for(executor, client, client._options, has_credentials=False)


def test_worker_keeps_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker makes one client for all batches of the same options, in the same environment."""
    data = pickle.dumps(Recipe(make(NimbleClient)._options))
    one, same = (pickle.loads(data).client() for _ in range(2))  # noqa: S301 - our own
    assert one is same
    monkeypatch.setenv("AWS_PROFILE", "other")
    other = pickle.loads(data).client  # noqa: S301 - likewise
    with pytest.raises(ConfigurationError, match="other"):
        other()


def test_batch() -> None:
    """A batch is stopped as the run wants it, and told session by session."""
    with LocalNimble() as local:
        local.add_session(studio_id="studio-1", session_id="session-1")
        with NimbleClient(
            endpoint_url=local.endpoint_url,
            region_name=local.region_name,
            credentials=local.credentials,
        ) as client:
            options = BulkOptions(
                studio_id="studio-1",
                retention="DELETE",
                run_id="run-1",
                max_concurrency=1,
                wait=False,
                deadline=900,
            )
            stopped, missing = stop_batch(Given(client), ["session-1", "nobody"], options)

    assert (stopped.session_id, stopped.error) == ("session-1", None)
    assert (stopped.session and stopped.session.volume_retention_mode) == "DELETE"
    assert isinstance(missing.error, ResourceNotFoundException)
