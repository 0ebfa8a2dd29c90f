from __future__ import annotations

import pickle
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest

from nimble_stop import NimbleClient, Runtime
from nimble_stop._flows.results import BulkOptions
from nimble_stop._flows.worker import Batch, pack, stop_batch
from nimble_stop.exceptions import ConfigurationError, ResourceNotFoundException
from nimble_stop.local import LocalNimble
from tests.support.clients import credentials

OPTIONS = BulkOptions(
    studio_id="studio-1", retention="DELETE", run_id="run-1", max_concurrency=1, wait=False
)


def make(**options: Any) -> NimbleClient:  # noqa: ANN401 - a client's own arguments
    """Make a client."""
    return NimbleClient(region_name="us-west-2", endpoint_url="http://127.0.0.1:1", **options)


def test_threads_share_the_client() -> None:
    """Threads of this process share the caller's own client, credentials and all."""
    client = make(credentials=credentials())
    with ThreadPoolExecutor() as pool:
        assert pack(client._run, pool) == client._run


def test_others_get_a_pickle() -> None:
    """The workers of other executors get a client of the same options."""
    packed = pack(make(timeout=7)._run, Executor())
    assert isinstance(packed, bytes)
    client = pickle.loads(packed).__self__  # noqa: S301 - our own
    assert client._options == make(timeout=7)._options


def test_given_credentials_are_not_pickled() -> None:
    """Credentials that were passed in do not go to another process."""
    with pytest.raises(ConfigurationError, match="credentials="):
        pack(make(credentials=credentials())._run, Executor())


def test_no_pickle() -> None:
    """A client with a function of the caller's serves an executor that does not pickle."""
    client = make(runtime=Runtime(now=lambda: 0.0))
    assert pack(client._run, Executor()) == client._run


def test_worker_keeps_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker makes one client for all batches of the same options, in the same environment."""
    made: list[NimbleClient] = []

    def run(client: NimbleClient, *_: object) -> list[object]:
        made.append(client)
        return []

    # A method is pickled by its name.
    run.__name__ = "_run"
    monkeypatch.setattr(NimbleClient, "_run", run)
    packed = pack(make()._run, Executor())
    for _ in range(2):
        stop_batch(Batch(packed, ["session-1"], OPTIONS))
    assert made[0] is made[1]
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(ConfigurationError, match="other"):
        stop_batch(Batch(packed, ["session-1"], OPTIONS))


def test_batch() -> None:
    """A batch is stopped as the run wants it, with a result for each session."""
    with LocalNimble() as local:
        local.add_session(studio_id="studio-1", session_id="session-1")
        with NimbleClient(
            endpoint_url=local.endpoint_url,
            region_name=local.region_name,
            credentials=local.credentials,
        ) as client:
            stopped, missing = stop_batch(Batch(client._run, ["session-1", "nobody"], OPTIONS))

    assert (stopped.session_id, stopped.error) == ("session-1", None)
    assert (stopped.session and stopped.session.volume_retention_mode) == "DELETE"
    assert isinstance(missing.error, ResourceNotFoundException)
