from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from nimble_stop import AsyncNimbleClient, Runtime
from nimble_stop.exceptions import ConnectionLostError
from nimble_stop.local import Latency, LocalNimble, ServiceFailure
from tests.support.clients import REGION, credentials
from tests.support.executors import Odd, at_once
from tests.support.scripted import HANG_GUARD, Counter, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from nimble_stop import AsyncStopRun, StopResult

STUDIO = "studio-1"


def names(number: int) -> list[str]:
    """Give some session ids."""
    return [f"session-{each}" for each in range(number)]


async def collect(run: AsyncStopRun, most: int | None = None) -> list[StopResult]:
    """Take results, all or so many."""
    results: list[StopResult] = []
    if most == 0:
        return results
    async for result in run:
        results.append(result)
        if len(results) == most:
            break
    return results


def with_client(
    local: LocalNimble,
    main: Callable[[AsyncNimbleClient], Coroutine[Any, Any, None]],
    **options: Any,  # noqa: ANN401 - a client's own arguments
) -> None:
    """Run a test with a client that never sleeps; at the end no task may be left."""

    async def run() -> None:
        given: dict[str, Any] = {
            "endpoint_url": local.endpoint_url,
            "region_name": local.region_name,
            "credentials": local.credentials,
            "runtime": Runtime(sleep=lambda _: None),
            **options,
        }
        async with AsyncNimbleClient(**given) as client:
            await main(client)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


@pytest.fixture
def local() -> Iterator[LocalNimble]:
    """Run an endpoint with a hundred sessions."""
    with LocalNimble() as endpoint:
        for session_id in names(100):
            endpoint.add_session(studio_id=STUDIO, session_id=session_id)
        yield endpoint


@pytest.fixture
def environment(local: LocalNimble, monkeypatch: pytest.MonkeyPatch) -> LocalNimble:
    """Let the environment lead to the endpoint."""
    for name, value in local.environment.items():
        monkeypatch.setenv(name, value)
    return local


def stopped(local: LocalNimble) -> list[str]:
    """List the sessions that were stopped, as often as they were."""
    return [str(record.session_id) for record in local.requests.matching(applied=True)]


@pytest.mark.parametrize("most", [1, 2, 7, 16])
def test_concurrency(most: int) -> None:
    """The service sees as many stops at the same time as are allowed, and never more."""
    counter = Counter(at_least=most)

    async def main(url: str) -> None:
        async with AsyncNimbleClient(
            endpoint_url=url, region_name=REGION, credentials=credentials()
        ) as client:
            run = client.stop_sessions(STUDIO, names(60), max_concurrency=most)
            assert len(await collect(run)) == 60

    with ScriptedServer(counter) as server:
        asyncio.run(main(server.url))
    assert counter.most == most


def test_lazy(local: LocalNimble) -> None:
    """Nothing begins before the first result is asked for."""
    taken: list[int] = []

    def ids() -> Iterator[str]:
        for number in count():
            taken.append(number)
            yield f"session-{number}"

    async def main(client: AsyncNimbleClient) -> None:
        run = client.stop_sessions(STUDIO, ids(), max_concurrency=3)
        await asyncio.sleep(0)
        assert taken == []
        assert len(await collect(run, 10)) == 10
        await run.aclose()
        assert len(taken) <= 13

    with_client(local, main)


def test_early_end(local: LocalNimble) -> None:
    """Leaving early begins nothing more; `aclose` waits for the stops in flight."""

    async def main(client: AsyncNimbleClient) -> None:
        async with client.stop_sessions(STUDIO, names(100), max_concurrency=5) as run:
            seen = await collect(run, 20)
        seen += await collect(run)
        assert sorted(result.session_id for result in seen) == sorted(stopped(local))
        assert 20 <= len(seen) <= 25
        await run.aclose()

    with_client(local, main)


def test_cancel(local: LocalNimble) -> None:
    """After a cancel the iteration ends with what was in flight."""

    async def main(client: AsyncNimbleClient) -> None:
        run = client.stop_sessions(STUDIO, names(100), max_concurrency=4)
        seen = await collect(run, 10)
        run.cancel()
        seen += await collect(run)
        assert sorted(result.session_id for result in seen) == sorted(stopped(local))
        assert len(seen) <= 14

    with_client(local, main)


def test_cancel_wakes_the_consumer() -> None:
    """A cancel by another task ends a run that waits for sessions to stop."""

    async def main(client: AsyncNimbleClient) -> None:
        run = client.stop_sessions(STUDIO, names(3), wait=True)
        consumer = asyncio.create_task(collect(run))
        while len(stopped(slow)) < 3:  # noqa: ASYNC110 - a server in a thread
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        run.cancel()
        results = await consumer
        assert sorted(result.session_id for result in results) == names(3)
        assert {str(each.session.state) for each in results if each.session} == {"STOP_IN_PROGRESS"}
        await run.aclose()

    with LocalNimble(transition_seconds=None) as slow:
        for session_id in names(3):
            slow.add_session(studio_id=STUDIO, session_id=session_id)
        with_client(slow, main, runtime=Runtime())


@pytest.mark.parametrize("steps", [0, 1, 3, 10, 40])
def test_consumer_is_cancelled(steps: int, local: LocalNimble) -> None:
    """A consumer that is cancelled cancels the stops in flight; the same run id completes them."""

    async def main(client: AsyncNimbleClient) -> None:
        run = client.stop_sessions(STUDIO, names(100), max_concurrency=8, run_id="night")
        consumer = asyncio.create_task(collect(run))
        for _ in range(steps):
            await asyncio.sleep(0.001)
        consumer.cancel()
        await asyncio.wait([consumer])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await run.aclose()

        rest = await collect(run)
        assert {type(result.error) for result in rest} <= {type(None), ConnectionLostError}

        again = await collect(client.stop_sessions(STUDIO, names(100), run_id="night"))
        assert {result.error for result in again} == {None}

    with_client(local, main)
    assert sorted(stopped(local)) == sorted(names(100))


def test_asyncio_timeout(local: LocalNimble) -> None:
    """`asyncio.timeout` around an iteration ends it, and leaves no task."""
    local.inject(Latency(HANG_GUARD), session_id="session-50")

    async def main(client: AsyncNimbleClient) -> None:
        run = client.stop_sessions(STUDIO, names(100), max_concurrency=4)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await collect(run)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with_client(local, main)
    assert "session-50" not in stopped(local)


def test_closing_is_cancelled(local: LocalNimble) -> None:
    """Cancelling `aclose` cancels what it waits for."""
    local.inject(Latency(HANG_GUARD), session_id="session-1")

    async def main(client: AsyncNimbleClient) -> None:
        run = client.stop_sessions(STUDIO, names(100), max_concurrency=2)
        assert len(await collect(run, 1)) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await run.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with_client(local, main)


def test_iterable_that_fails(local: LocalNimble) -> None:
    """The iterable's own error comes after the results in flight, once."""

    def ids() -> Iterator[str]:
        yield from names(20)
        raise LookupError("the list broke")

    async def main(client: AsyncNimbleClient) -> None:
        run = client.stop_sessions(STUDIO, ids(), max_concurrency=4)
        seen = await collect(run, 20)
        assert sorted(result.session_id for result in seen) == sorted(names(20))
        with pytest.raises(LookupError, match="the list broke"):
            await anext(run)
        assert await collect(run) == []

    with_client(local, main)


def test_foreign_error(local: LocalNimble) -> None:
    """An error that is none of ours ends the run and is raised, after the results in flight."""

    async def sleep(_: float) -> None:
        raise ZeroDivisionError("no time")

    async def main(client: AsyncNimbleClient) -> None:
        local.inject(ServiceFailure("ThrottlingException"), session_id="session-20")
        run = client.stop_sessions(STUDIO, names(100), max_concurrency=4)
        with pytest.raises(ZeroDivisionError, match="no time"):
            await collect(run)
        assert await collect(run) == []
        assert len(stopped(local)) < 30

    with_client(local, main, runtime=Runtime(sleep=sleep))


def test_in_a_task_group(local: LocalNimble) -> None:
    """Runs at the same time share a client, and each gives the results of its own sessions."""
    local.inject(ServiceFailure("ThrottlingException"), probability=0.2, seed=2)
    seen: list[StopResult] = []

    async def stop(client: AsyncNimbleClient, start: int) -> None:
        ids = names(100)[start::4]
        results = await collect(client.stop_sessions(STUDIO, ids, max_concurrency=3))
        assert sorted(result.session_id for result in results) == sorted(ids)
        seen.extend(results)

    async def main(client: AsyncNimbleClient) -> None:
        async with asyncio.TaskGroup() as group:
            for start in range(4):
                group.create_task(stop(client, start))

    with_client(local, main)
    assert {result.error for result in seen} == {None}
    assert sorted(stopped(local)) == sorted(names(100))


def test_wait(local: LocalNimble) -> None:
    """With wait the results come with the sessions STOPPED; the endpoint sees pages, not reads."""

    async def main(client: AsyncNimbleClient) -> None:
        results = await collect(client.stop_sessions(STUDIO, names(100), wait=True))
        assert len(results) == 100
        assert {str(each.session.state) for each in results if each.session} == {"STOPPED"}

    with_client(local, main)
    assert local.requests.matching(operation="GetStreamingSession") == []
    assert local.requests.matching(operation="ListStreamingSessions")


def test_run_id(local: LocalNimble) -> None:
    """The run has an id, which is new unless it was given."""

    async def main(client: AsyncNimbleClient) -> None:
        runs = [client.stop_sessions(STUDIO, []) for _ in range(2)]
        assert runs[0].run_id != runs[1].run_id
        assert client.stop_sessions(STUDIO, [], run_id="night").run_id == "night"
        assert [await collect(run) for run in runs] == [[], []]

    with_client(local, main)


def test_sleeps_are_awaited(local: LocalNimble) -> None:
    """The delays of a run, too, are awaited when they can be."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)
        slept.append(seconds)

    async def main(client: AsyncNimbleClient) -> None:
        local.inject(ServiceFailure("ThrottlingException"), times=4)
        (result,) = await collect(client.stop_sessions(STUDIO, ["session-1"], wait=True))
        assert result.error is None
        assert result.attempts == 5

    with_client(local, main, runtime=attrs.evolve(Runtime(), sleep=sleep))
    # Two between the attempts of a turn, one between the turns, one in the next, one of the poll.
    assert len(slept) >= 5


# In an executor


def test_executor(environment: LocalNimble) -> None:
    """In an executor the same batches run, and the loop stays free."""

    async def main() -> list[StopResult]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        async with AsyncNimbleClient() as client:
            ticking = asyncio.create_task(tick())
            run = client.stop_sessions(STUDIO, names(100), executor=Odd(at_once))
            results = [result async for result in run]
            ticking.cancel()
            assert ticks > 10
            return results

    results = asyncio.run(main())
    assert {result.error for result in results} == {None}
    assert sorted(result.session_id for result in results) == sorted(names(100))
    assert sorted(stopped(environment)) == sorted(names(100))


def test_executor_left_early(environment: LocalNimble) -> None:
    """The async run can be closed and cancelled, and then begins nothing more."""

    async def main() -> None:
        async with AsyncNimbleClient() as client:
            for end in ("close", "cancel"):
                executor = Odd(at_once)
                async with client.stop_sessions(
                    STUDIO, names(100), executor=executor, max_concurrency=1, run_id=end
                ) as run:
                    await anext(run)
                    if end == "cancel":
                        run.cancel()
                        assert len([result async for result in run]) == 24
                assert len(executor.submitted) == 1

    asyncio.run(main())
    assert len(environment.requests) == 50


def test_executor_cancelled() -> None:
    """Cancelling a task that waits for a batch does not wait for it, and submits no more."""
    futures: list[Future[Any]] = []

    async def main() -> None:
        client = AsyncNimbleClient(region_name="us-west-2", endpoint_url="http://127.0.0.1:1")
        run = client.stop_sessions(
            STUDIO,
            names(100),
            executor=Odd(lambda future, _: futures.append(future)),
            max_concurrency=1,
        )
        task = asyncio.ensure_future(anext(run))
        while not futures:  # noqa: ASYNC110 - another thread fills it
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        futures[0].set_exception(CancelledError())
        await run.aclose()
        assert len(futures) == 1

    asyncio.run(main())


def test_executor_outlasts_a_timeout(environment: LocalNimble) -> None:
    """Waiting for a result with a limit, again and again, gives every result in the end."""
    held: list[tuple[Future[Any], Callable[[], Any]]] = []

    async def main() -> list[StopResult]:
        executor = Odd(lambda future, call: held.append((future, call)))
        results: list[StopResult] = []
        timeouts = 0
        async with AsyncNimbleClient() as client:
            run = client.stop_sessions(STUDIO, names(100), executor=executor, max_concurrency=2)
            while len(results) < 100:
                try:
                    results.append(await asyncio.wait_for(anext(run), 0.02))
                except TimeoutError:
                    timeouts += 1
                    while held:
                        await asyncio.to_thread(lambda: at_once(*held.pop()))
            assert [result async for result in run] == []
        assert timeouts
        return results

    results = asyncio.run(main())
    assert {result.error for result in results} == {None}
    assert sorted(result.session_id for result in results) == sorted(names(100))
    assert sorted(stopped(environment)) == sorted(names(100))


def test_executor_shares_credentials_with_threads(local: LocalNimble) -> None:
    """In threads of this process the async client's credentials serve too."""

    async def main(client: AsyncNimbleClient) -> None:
        with ThreadPoolExecutor(2) as pool:
            run = client.stop_sessions(STUDIO, names(100), executor=pool)
            assert {result.error for result in await collect(run)} == {None}

    with_client(local, main)
    assert sorted(stopped(local)) == sorted(names(100))
