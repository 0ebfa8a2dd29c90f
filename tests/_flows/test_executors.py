from __future__ import annotations

import logging
import multiprocessing
import pickle
import threading
from concurrent.futures import (
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import contextmanager
from importlib import import_module
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from nimble_stop import AsyncNimbleClient, NimbleClient, RetryPolicy, Runtime
from nimble_stop._flows.executors import Batch, pack, stop_batch
from nimble_stop._flows.results import BulkOptions
from nimble_stop._flows.threads import Runner
from nimble_stop.exceptions import (
    ConfigurationError,
    ConflictException,
    ConnectionLostError,
    RequestValidationError,
    ResourceNotFoundException,
)
from nimble_stop.local import LocalNimble, ServiceFailure
from tests.support.clock import ManualClock
from tests.support.executors import Odd, at_once
from tests.support.workers import die, die_once

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from nimble_stop import StopResult

STUDIO = "studio-1"
SPAWN = multiprocessing.get_context("spawn")
OPTIONS = BulkOptions(
    studio_id=STUDIO, retention="DELETE", run_id="run-1", max_concurrency=1, wait=False
)


def names(number: int) -> list[str]:
    """Give some session ids."""
    return [f"session-{each}" for each in range(number)]


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalNimble]:
    """Run an endpoint that the environment leads to, for this process and its workers."""
    with LocalNimble() as endpoint:
        for name, value in endpoint.environment.items():
            monkeypatch.setenv(name, value)
        for session_id in names(120):
            endpoint.add_session(studio_id=STUDIO, session_id=session_id)
        yield endpoint


@pytest.fixture
def client(local: LocalNimble) -> Iterator[NimbleClient]:
    """Make a client that finds its credentials in the environment, as workers do."""
    del local
    with NimbleClient() as made:
        yield made


def check(local: LocalNimble, results: list[StopResult], number: int = 120) -> None:
    """See to it that every session has one result, and was stopped once."""
    assert sorted(result.session_id for result in results) == sorted(names(number))
    assert {result.error for result in results} == {None}
    assert {result.repeated for result in results} == {False}
    for session_id in names(number):
        local.requests.assert_stopped_once(session_id)
        local.requests.assert_one_token(session_id)


def key(result: StopResult) -> tuple[str, str | None, str]:
    """Give what two runs of the same id have in common."""
    return result.session_id, result.client_token, type(result.error).__name__


# Threads and processes


@pytest.mark.parametrize("most", [1, 3])
def test_threads(most: int, local: LocalNimble) -> None:
    """In a pool of threads the caller's own client does the work, credentials and all."""
    with (
        ThreadPoolExecutor(3) as pool,
        NimbleClient(
            endpoint_url=local.endpoint_url,
            region_name=local.region_name,
            credentials=local.credentials,
        ) as client,
    ):
        run = client.stop_sessions(STUDIO, names(120), executor=pool, max_concurrency=most)
        check(local, list(run))


def test_processes(local: LocalNimble, client: NimbleClient) -> None:
    """In a pool of processes the results are the same as without."""
    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
        ids = [*names(120), "", "nobody"]
        results = list(client.stop_sessions(STUDIO, ids, executor=pool, run_id="night"))
        plain = list(client.stop_sessions(STUDIO, ids, run_id="night"))

    by_id = {result.session_id: result for result in results}
    assert isinstance(by_id.pop("").error, RequestValidationError)
    assert isinstance(by_id.pop("nobody").error, ResourceNotFoundException)
    check(local, list(by_id.values()))
    assert sorted(map(key, results)) == sorted(map(key, plain))


def test_processes_wait(local: LocalNimble, client: NimbleClient) -> None:
    """With wait the results come when the sessions have stopped."""
    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
        results = list(client.stop_sessions(STUDIO, names(60), executor=pool, wait=True))
    check(local, results, 60)
    assert {str(result.session.state) for result in results if result.session} == {"STOPPED"}


def test_killed_worker(
    local: LocalNimble,
    client: NimbleClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A worker that is killed in the middle of its batch costs nothing but time, and is logged."""
    del client
    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool, NimbleClient() as killing:
        submit = pool.submit

        def submit_deadly(_: Any, *args: Any) -> Future[Any]:  # noqa: ANN401 - an executor's own
            return submit(die_once, str(tmp_path / "mark"), *args)

        monkeypatch.setattr(pool, "submit", submit_deadly)
        run = killing.stop_sessions(STUDIO, names(120), executor=pool, max_concurrency=2)
        check(local, list(run))
    assert "failed or died (BrokenProcessPool" in caplog.text
    # What the killed one had stopped was sent again, under the same tokens.
    assert len(local.requests) > 120


def test_workers_that_all_die(
    local: LocalNimble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When no worker lives, the work is done in this process, and the log says so."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool, NimbleClient() as client:
        submit = pool.submit

        def submit_death(*_: object) -> Future[Any]:
            return submit(die)

        monkeypatch.setattr(pool, "submit", submit_death)
        with caplog.at_level(logging.WARNING, "nimble_stop"):
            check(local, list(client.stop_sessions(STUDIO, names(60), executor=pool)), 60)
    assert "takes no work" in caplog.text


# Odd executors


def test_refused_work(local: LocalNimble, client: NimbleClient) -> None:
    """What an executor does not take is done in this process."""

    def refuse(_: Future[Any], __: object) -> None:
        raise TypeError("it cannot be pickled")

    check(local, list(client.stop_sessions(STUDIO, names(120), executor=Odd(refuse))))


def test_shut_down_pool(local: LocalNimble, client: NimbleClient) -> None:
    """A pool that has been shut down is no reason to stop nothing."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    check(local, list(client.stop_sessions(STUDIO, names(120), executor=pool)))


@pytest.mark.parametrize("failures", [1, 2, 3, 100])
def test_lost_batches(failures: int, local: LocalNimble, client: NimbleClient) -> None:
    """A batch that is lost is submitted again, in the end done here; cancelled ones too."""
    numbers = count()

    def lose(future: Future[Any], call: Callable[[], Any]) -> None:
        number = next(numbers)
        if number >= failures:
            at_once(future, call)
        elif number % 2:
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(OSError("the worker is gone"))

    executor = Odd(lose)
    run = client.stop_sessions(STUDIO, names(120), executor=executor, max_concurrency=2)
    check(local, list(run))
    tried = [tuple(batch.session_ids) for _, batch in executor.submitted]
    assert max(tried.count(each) for each in tried) <= 3


def test_lost_answer(local: LocalNimble, client: NimbleClient) -> None:
    """A batch whose answer alone was lost is repeated, and nothing happens twice."""
    numbers = count()

    def lose(future: Future[Any], call: Callable[[], Any]) -> None:
        results = call()
        if next(numbers) % 2 == 0:
            future.set_exception(ConnectionResetError("gone"))
        else:
            future.set_result(results)

    check(local, list(client.stop_sessions(STUDIO, names(120), executor=Odd(lose))))


def test_batches(client: NimbleClient, local: LocalNimble) -> None:
    """Ids are submitted in batches, the last one shorter."""
    executor = Odd(at_once)
    assert len(list(client.stop_sessions(STUDIO, names(60), executor=executor))) == 60
    assert [len(batch.session_ids) for _, batch in executor.submitted] == [25, 25, 10]
    assert all(fn is stop_batch for fn, _ in executor.submitted)
    assert len(local.requests) == 60


def test_calls_are_unlike() -> None:
    """No two calls are equal: Dask would answer the second from the first one's result."""
    executor = Odd(lambda future, _: future.set_result([]))
    client = NimbleClient(region_name="us-west-2", endpoint_url="http://127.0.0.1:1")
    for _ in range(2):
        assert list(client.stop_sessions(STUDIO, ["a"] * 50, run_id="x", executor=executor)) == []
    assert len({batch.submission for _, batch in executor.submitted}) == 4


def test_batches_in_flight(local: LocalNimble, client: NimbleClient) -> None:
    """As many batches are in flight as stops may be, and ids are taken only for those."""
    open_: list[tuple[Future[Any], Callable[[], Any]]] = []
    taken = 0

    def ids() -> Iterator[str]:
        nonlocal taken
        for session_id in names(120):
            taken += 1
            yield session_id

    executor = Odd(lambda future, call: open_.append((future, call)))
    run = client.stop_sessions(STUDIO, ids(), executor=executor, max_concurrency=2)
    assert taken == 0
    results: list[StopResult] = []
    consumer = threading.Thread(target=lambda: results.extend(run))
    consumer.start()
    seen = 0
    while consumer.is_alive():
        if open_:
            assert len(open_) <= 2
            seen += 1
            assert taken <= 25 * (seen + 1)
            at_once(*open_.pop(0))
        consumer.join(0.005)
    check(local, results)


def test_repeated(local: LocalNimble) -> None:
    """What this run itself stopped is not reported as an earlier run's, however late its batch."""
    clock = ManualClock()
    with LocalNimble(clock=lambda: clock.epoch) as endpoint:
        for session_id in names(60):
            endpoint.add_session(studio_id=STUDIO, session_id=session_id)
        del local

        def late(future: Future[Any], call: Callable[[], Any]) -> None:
            clock.advance(60)
            if next(numbers) % 2:
                at_once(future, call)
            else:
                call()
                future.set_exception(OSError("gone"))

        numbers = count()
        client = NimbleClient(
            endpoint_url=endpoint.endpoint_url, region_name="us-west-2", runtime=clock.runtime
        )

        def run() -> list[StopResult]:
            stopping = client.stop_sessions(
                STUDIO, names(60), run_id="night", executor=Odd(late), max_concurrency=1
            )
            return list(stopping)

        assert {result.repeated for result in run()} == {False}
        assert endpoint.requests.matching(operation="GetStreamingSession") == []
        clock.advance(60)
        assert {result.repeated for result in run()} == {True}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("a bug"), "failed or died (ZeroDivisionError: a bug)"),
        (ModuleNotFoundError("No module named 'nimble_stop'"), "cannot import nimble_stop"),
        (KeyboardInterrupt(), "failed or died (KeyboardInterrupt: )"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_failures_are_logged(
    error: BaseException, said: str, client: NimbleClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Every failure of a worker is logged with its reason and with what happens next."""
    executor = Odd(lambda future, _: future.set_exception(error))
    with caplog.at_level(logging.WARNING, "nimble_stop"):
        results = list(client.stop_sessions(STUDIO, names(30), executor=executor))

    assert {result.error for result in results} == {None}
    assert len(results) == 30
    ours = [record for record in caplog.records if record.name == "nimble_stop"]
    lines = [record.getMessage() for record in ours]
    assert len(lines) == 6
    assert all(said in line and str(error) in line for line in lines)
    assert {line.partition("; ")[0].split()[3] for line in lines} == {"25", "5"}
    assert sum("submitted again (try 2 of 3)" in line for line in lines) == 2
    assert sum("submitted again (try 3 of 3)" in line for line in lines) == 2
    assert sum("stopped in this process" in line for line in lines) == 2


# Ends


def test_endless(local: LocalNimble, client: NimbleClient) -> None:
    """Of an endless iterable a part can be taken; the batches in flight are finished."""
    with ThreadPoolExecutor(2) as pool:
        ids = (f"session-{number}" for number in count())
        with client.stop_sessions(STUDIO, ids, executor=pool, max_concurrency=2) as run:
            seen = list(islice(run, 30))
        seen += list(run)
    stops = {record.session_id for record in local.requests}
    assert stops <= {result.session_id for result in seen}
    assert len(seen) <= 30 + 25 * 3


def test_cancel_reports_the_lost(client: NimbleClient) -> None:
    """A batch that is lost after a cancel is not repeated; its results say that it is not known."""
    futures: list[Future[Any]] = []
    executor = Odd(lambda future, _: futures.append(future))
    run = client.stop_sessions(
        STUDIO, [*names(30), ""], executor=executor, max_concurrency=1, run_id="night"
    )
    consumer: list[StopResult] = []
    thread = threading.Thread(target=lambda: consumer.extend(run))
    thread.start()
    while not futures:
        thread.join(0.001)
    run.cancel()
    futures[0].set_exception(OSError("gone"))
    thread.join()

    assert [result.session_id for result in consumer] == names(25)
    for result in consumer:
        assert isinstance(result.error, ConnectionLostError)
        assert result.error.outcome_unknown is True
        assert result.error.client_token == result.client_token
        assert result.client_token is not None
        assert len(result.client_token) == 64
    assert len(executor.submitted) == 1


def test_cancelled_by_the_iterable(client: NimbleClient) -> None:
    """A batch that is complete when the run is cancelled is not submitted."""

    def ids() -> Iterator[str]:
        yield from names(10)
        run.cancel()

    executor = Odd(at_once)
    run = client.stop_sessions(STUDIO, ids(), executor=executor)
    assert list(run) == []
    assert executor.submitted == []


class Interrupted(Future[Any]):
    """A future whose taking of a callback is interrupted at its end."""

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Take a callback."""
        super().add_done_callback(fn)
        raise KeyboardInterrupt


def test_interrupted_after_submitting(local: LocalNimble, client: NimbleClient) -> None:
    """A batch whose submission was interrupted at its end is submitted again."""

    class Pool(Odd):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - the base's own
            future = super().submit(fn, *args, **kwargs)
            if len(self.submitted) > 1:
                return future
            interrupted = Interrupted()
            interrupted.set_result(future.result())
            return interrupted

    run = client.stop_sessions(STUDIO, names(120), executor=Pool(at_once), max_concurrency=2)
    with pytest.raises(KeyboardInterrupt):
        next(run)
    check(local, list(run))


def test_close_begins_nothing(client: NimbleClient, local: LocalNimble) -> None:
    """After closing, a batch that the executor had not started is not submitted again."""
    executor = Odd(lambda _, __: None)
    run = client.stop_sessions(STUDIO, ["", *names(60)], executor=executor, max_concurrency=2)
    with pytest.raises(TimeoutError), interrupted_wait():
        next(run)
    run.close()
    results = list(run)

    assert len(executor.submitted) == 2
    assert len(results) == 50
    assert isinstance(results[0].error, RequestValidationError)
    assert {type(result.error) for result in results[1:]} == {ConnectionLostError}
    assert len(local.requests) == 0


@contextmanager
def interrupted_wait() -> Generator[None]:
    """Interrupt the first wait for a batch."""

    def interrupt(*_: object) -> None:
        raise TimeoutError("enough")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, "_wait", interrupt)
        yield


@pytest.mark.parametrize("when", ["before", "after"])
def test_interrupted_while_submitting(when: str, local: LocalNimble, client: NimbleClient) -> None:
    """An interrupt while a batch is submitted loses no session."""
    numbers = count()

    def interrupt(future: Future[Any], call: Callable[[], Any]) -> None:
        number = next(numbers)
        if number == 1 and when == "before":
            raise KeyboardInterrupt
        at_once(future, call)
        if number == 1:
            raise KeyboardInterrupt

    run = client.stop_sessions(STUDIO, names(120), executor=Odd(interrupt), max_concurrency=2)
    seen: list[StopResult] = []
    interrupts = 0
    while True:
        try:
            seen.append(next(run))
        except KeyboardInterrupt:
            interrupts += 1
        except StopIteration:
            break
    assert interrupts == 1
    check(local, seen)


def test_iterable_that_fails(local: LocalNimble, client: NimbleClient) -> None:
    """The iterable's own error comes after the results in flight."""

    def ids() -> Iterator[str]:
        yield from names(120)
        raise LookupError("the list broke")

    seen: list[StopResult] = []
    with pytest.raises(LookupError, match="the list broke"):
        seen.extend(client.stop_sessions(STUDIO, ids(), executor=Odd(at_once)))
    run = client.stop_sessions(STUDIO, ids(), executor=Odd(at_once), run_id="again")
    seen = list(islice(run, 120))
    assert {type(result.error) for result in seen} == {ConflictException}
    with pytest.raises(LookupError):
        next(run)
    assert local.requests


# Credentials and configuration


@pytest.mark.parametrize("kind", [NimbleClient, AsyncNimbleClient])
def test_given_credentials(
    kind: type[NimbleClient | AsyncNimbleClient], local: LocalNimble
) -> None:
    """Credentials that were passed in are refused, before any id is taken, with a way out."""
    client = kind(
        endpoint_url=local.endpoint_url,
        region_name=local.region_name,
        credentials=local.credentials,
    )
    with pytest.raises(ConfigurationError) as failure:
        client.stop_sessions(STUDIO, (str(1 // 0) for _ in "a"), executor=Odd(at_once))
    for word in ("AWS_PROFILE", "ThreadPoolExecutor", "credentials="):
        assert word in str(failure.value)


@pytest.mark.parametrize("kind", [NimbleClient, AsyncNimbleClient])
@pytest.mark.parametrize("executor", ["pool", 7, object()])
def test_no_executor(kind: type[NimbleClient | AsyncNimbleClient], executor: Any) -> None:  # noqa: ANN401 - wrong on purpose
    """What is no executor is refused at once."""
    client = kind(region_name="us-west-2", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(RequestValidationError, match="executor must be"):
        client.stop_sessions(STUDIO, [], executor=executor)


def test_nothing_secret_is_pickled(local: LocalNimble, client: NimbleClient) -> None:
    """What goes to the workers holds no credentials, also after they were used here."""
    client.get_session(STUDIO, "session-0")
    executor = Odd(at_once)
    client = client.with_options(retry=RetryPolicy(max_attempts=5))
    assert len(list(client.stop_sessions(STUDIO, names(30), executor=executor))) == 30

    for fn, *args in executor.submitted:
        data = pickle.dumps((fn, args))
        assert local.credentials.secret_key.encode() not in data
        assert local.credentials.access_key.encode() not in data
        (batch,) = pickle.loads(data)[1]  # noqa: S301 - our own
        assert pickle.loads(batch.stop).__self__._options.retry == RetryPolicy(max_attempts=5)  # noqa: S301 - likewise


def test_worker_without_a_region(
    local: LocalNimble, client: NimbleClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that cannot make its client ends the run with its reason."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        run = client.stop_sessions(STUDIO, names(120), executor=pool)
        with pytest.raises(ConfigurationError, match="There is no region"):
            list(run)
        assert list(run) == []
    assert len(local.requests) == 0


# Dask


def test_dask(local: LocalNimble, client: NimbleClient, tmp_path: Path) -> None:
    """On a Dask cluster of processes, one of them killed, the results are the same as without."""
    distributed: Any = import_module("distributed")
    local.inject(ServiceFailure("ThrottlingException"), probability=0.1, seed=3)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as dask,
    ):
        executor = dask.get_executor()
        quiet = client.stop_sessions(STUDIO, names(60), executor=executor, run_id="night")
        first = list(quiet)
        check(local, first, 60)

        # Its calls are made although the cluster may still know the results.
        before = len(local.requests)
        again = list(client.stop_sessions(STUDIO, names(60), executor=executor, run_id="night"))
        assert sorted(map(key, again)) == sorted(map(key, first))
        assert len(local.requests) - before >= 60

        deadly = Deadly(executor, str(tmp_path / "mark"))
        rest = names(120)[60:]
        run = client.stop_sessions(STUDIO, rest, executor=deadly, max_concurrency=2)
        results = list(run)
        assert (tmp_path / "mark").exists()
        check(local, [*first, *results])


@attrs.frozen
class Deadly(Executor):
    """An executor in which one batch kills its worker."""

    executor: Any
    mark: str

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - the base's own
        """Take a batch."""
        del fn, kwargs
        future: Future[Any] = self.executor.submit(die_once, self.mark, *args)
        return future


# What runs in a worker


def make_client(**options: Any) -> NimbleClient:  # noqa: ANN401 - a client's own arguments
    """Make a client."""
    return NimbleClient(region_name="us-west-2", endpoint_url="http://127.0.0.1:1", **options)


def test_others_get_a_pickle() -> None:
    """The workers of other executors get a client of the same options."""
    packed = pack(make_client(timeout=7)._run, Executor())
    assert isinstance(packed, bytes)
    client = pickle.loads(packed).__self__  # noqa: S301 - our own
    assert client._options == make_client(timeout=7)._options


def test_no_pickle() -> None:
    """A client with a function of the caller's serves an executor that does not pickle."""
    client = make_client(runtime=Runtime(now=lambda: 0.0))
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
    packed = pack(make_client()._run, Executor())
    for _ in range(2):
        stop_batch(Batch(packed, ["session-1"], OPTIONS))
    assert made[0] is made[1]
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(ConfigurationError, match="other"):
        stop_batch(Batch(packed, ["session-1"], OPTIONS))
