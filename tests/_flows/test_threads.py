from __future__ import annotations

import dis
import gc
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop import NimbleClient, RetryPolicy, Runtime, StopResult
from nimble_stop._flows.threads import StopRun, ThreadRunner
from nimble_stop.exceptions import (
    AccessDeniedException,
    UnexpectedStateError,
)
from nimble_stop.local import (
    LocalNimble,
    ResetAfterChange,
    ResetBeforeChange,
    ServiceFailure,
    TruncatedBody,
)
from tests.support.clients import make_client
from tests.support.clock import ManualClock
from tests.support.scripted import HANG_GUARD, Counter, Peer, ScriptedServer, answer
from tests.support.studio import Studio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

STUDIO = "studio-1"


def names(number: int) -> list[str]:
    """Give some session ids."""
    return [f"session-{each}" for each in range(number)]


def our_threads() -> list[threading.Thread]:
    """List the threads that runs have started."""
    return [thread for thread in threading.enumerate() if thread.name == "nimble_stop"]


@pytest.fixture(autouse=True)
def _no_threads_left() -> Iterator[None]:
    """See to it that every run ends its threads."""
    yield
    gc.collect()
    for thread in our_threads():
        # One that an interrupt kept from being joined is about to end.
        thread.join(HANG_GUARD)
        assert not thread.is_alive()


def filled(local: LocalNimble, number: int) -> list[str]:
    """Fill an endpoint with sessions."""
    for session_id in names(number):
        local.add_session(studio_id=STUDIO, session_id=session_id)
    return names(number)


def quick_client(local: LocalNimble, **options: Any) -> NimbleClient:  # noqa: ANN401 - a client's own arguments
    """Make a client that never sleeps."""
    return make_client(
        local.endpoint_url,
        credentials=local.credentials,
        runtime=Runtime(sleep=lambda _: None),
        **options,
    )


@pytest.mark.parametrize("most", [1, 2, 7, 16])
def test_concurrency(most: int) -> None:
    """The service sees as many stops at the same time as are allowed, and never more."""
    counter = Counter(at_least=most)
    with (
        ScriptedServer(counter) as server,
        make_client(server.url) as client,
        client.stop_sessions(STUDIO, names(60), max_concurrency=most) as run,
    ):
        assert len(list(run)) == 60
        assert counter.most == most
        assert server.connections <= 60


def test_lazy() -> None:
    """Nothing begins before the first result is asked for."""
    with ScriptedServer(Counter()) as server, make_client(server.url) as client:
        taken: list[int] = []

        def ids() -> Iterator[str]:
            for number in count():
                taken.append(number)
                yield f"session-{number}"

        run = client.stop_sessions(STUDIO, ids(), max_concurrency=3)
        assert (taken, server.connections, our_threads()) == ([], 0, [])
        run.close()
        assert list(run) == []
        assert taken == []


def test_ids_are_taken_by_the_consumer() -> None:
    """The iterable runs in the thread that takes the results, so it may be anything."""
    threads: set[int] = set()

    def ids() -> Iterator[str]:
        for session_id in names(30):
            threads.add(threading.get_ident())
            yield session_id

    with ScriptedServer(Counter()) as server, make_client(server.url) as client:
        assert len(list(client.stop_sessions(STUDIO, ids()))) == 30
    assert threads == {threading.get_ident()}


def test_slow_iterable() -> None:
    """A stop begins as soon as its id is there, also when the next one takes its time."""
    with ScriptedServer(Counter()) as server, make_client(server.url) as client:

        def ids() -> Iterator[str]:
            yield "session-0"
            patience = time.monotonic() + HANG_GUARD
            while not server.requests and time.monotonic() < patience:
                time.sleep(0.001)
            yield "session-1"

        assert len(list(client.stop_sessions(STUDIO, ids()))) == 2


def test_from_a_list() -> None:
    """A list of the same client may be the iterable."""
    with LocalNimble() as local, quick_client(local) as client:
        filled(local, 230)
        ids = (str(session.session_id) for session in client.list_sessions(STUDIO))
        results = list(client.stop_sessions(STUDIO, ids))
        assert {result.session_id for result in results} == set(names(230))
        assert {result.error for result in results} == {None}


def test_early_end() -> None:
    """Leaving the iteration early begins nothing more and finishes the stops in flight."""
    with LocalNimble() as local, quick_client(local) as client:
        ids = iter(filled(local, 200))
        with client.stop_sessions(STUDIO, ids, max_concurrency=5) as run:
            seen = [result.session_id for result in islice(run, 20)]
        seen += [result.session_id for result in run]

        stops = {record.session_id for record in local.requests.matching(applied=True)}
        assert set(seen) == stops
        assert len(seen) == len(stops) <= 25
        assert len(list(ids)) == 200 - len(stops)


def test_dropped() -> None:
    """A run that is dropped in the middle finishes the stops in flight, without a warning."""
    with LocalNimble() as local, quick_client(local) as client:
        for result in client.stop_sessions(STUDIO, filled(local, 50), max_concurrency=4):
            assert result.error is None
            break
        gc.collect()
        assert our_threads() == []
        assert 1 <= len(local.requests.matching(applied=True)) <= 5


def test_close_again() -> None:
    """Closing is idempotent, and fine after the end."""
    with LocalNimble() as local, quick_client(local) as client:
        run = client.stop_sessions(STUDIO, filled(local, 5))
        assert len(list(run)) == 5
        run.close()
        run.close()
        assert list(run) == []


def test_fork() -> None:
    """The child of a fork in the middle of a run can close it, sends nothing, and does not wait."""
    with LocalNimble() as local, quick_client(local) as client:
        run = client.stop_sessions(STUDIO, filled(local, 20), max_concurrency=4)
        first = next(run)
        child = os.fork()
        if not child:
            with suppress(BaseException):
                run.close()
                os._exit(0)
            os._exit(1)
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert len([first, *run]) == 20
        assert len(local.requests.matching(operation="StopStreamingSession")) == 20


def test_results_after_close() -> None:
    """After closing, iterating on gives the results of what was in flight."""
    with LocalNimble() as local, quick_client(local) as client:
        run = client.stop_sessions(STUDIO, filled(local, 100), max_concurrency=10)
        first = next(run)
        run.close()
        rest = list(run)
        stops = {record.session_id for record in local.requests.matching(applied=True)}
        assert {first.session_id, *(result.session_id for result in rest)} == stops


def test_cancel() -> None:
    """After a cancel the iteration ends with what was in flight."""
    with LocalNimble() as local, quick_client(local) as client:
        seen: list[str] = []
        run = client.stop_sessions(STUDIO, filled(local, 100), max_concurrency=4)
        for result in run:
            seen.append(result.session_id)
            if len(seen) == 10:
                run.cancel()
        stops = {record.session_id for record in local.requests.matching(applied=True)}
        assert set(seen) == stops
        assert 10 <= len(seen) <= 14


def test_cancel_from_another_thread() -> None:
    """Another thread may cancel a run that waits for its results."""
    waiting, go = threading.Semaphore(0), threading.Event()

    def script(peer: Peer) -> None:
        while True:
            peer.read_request()
            waiting.release()
            go.wait(HANG_GUARD)
            peer.send(answer())

    with ScriptedServer(script) as server, make_client(server.url) as client:
        run = client.stop_sessions(STUDIO, (f"s{number}" for number in count()), max_concurrency=2)

        def cancel() -> None:
            for _ in range(2):
                waiting.acquire(timeout=HANG_GUARD)
            run.cancel()
            go.set()

        thread = threading.Thread(target=cancel)
        thread.start()
        assert len(list(run)) == 2
        thread.join()


def test_run_id() -> None:
    """The run has an id, which is new unless it was given."""
    with ScriptedServer() as server, make_client(server.url) as client:
        runs = [client.stop_sessions(STUDIO, []) for _ in range(2)]
        assert runs[0].run_id != runs[1].run_id
        assert client.stop_sessions(STUDIO, [], run_id="night").run_id == "night"


def test_iterable_that_fails() -> None:
    """The iterable's own error comes after the results in flight, and leaves no thread."""

    def ids() -> Iterator[str]:
        yield from names(20)
        raise LookupError("the list broke")

    with LocalNimble() as local, quick_client(local) as client:
        filled(local, 20)
        run = client.stop_sessions(STUDIO, ids(), max_concurrency=4)
        seen = [result.session_id for result in islice(run, 20)]
        with pytest.raises(LookupError):
            next(run)
        assert sorted(seen) == sorted(names(20))
        assert list(run) == []


def test_interrupt_in_the_consumer() -> None:
    """An interrupt between two results leaves the run usable: it goes on, or it is cancelled."""
    with LocalNimble() as local, quick_client(local) as client:
        run = client.stop_sessions(STUDIO, filled(local, 40), max_concurrency=4)
        seen: list[str] = []
        with suppress(KeyboardInterrupt):
            for result in run:
                seen.append(result.session_id)
                if len(seen) == 7:
                    raise KeyboardInterrupt
        seen += [result.session_id for result in run]
        assert sorted(seen) == sorted(names(40))


# Behind these the interpreter handles signals; nowhere else does an interrupt come.
CHECKED = {"CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD", "RESUME"}


class Interrupter:
    """Interrupts the thread that traces, at the nth place in the package's flows."""

    def __init__(self, step: int) -> None:
        self.steps = 0
        self._step = step
        self._last = ""

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401 - a trace function
        """Trace a frame, if it is one of ours."""
        if Path(frame.f_code.co_filename).parent.name != "_flows":
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.steps += self._last in CHECKED
            self._last = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if self.steps == self._step:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self


def interrupted(step: int, *, wait: bool) -> tuple[Studio, list[StopResult], bool]:
    """Run over a few sessions until an interrupt at a step, then cancel, and take the rest."""
    studio = Studio(ManualClock())
    studio.faults["session-1"] = [answer_429() for _ in range(4)]
    lock = threading.Lock()

    def perform(effect: Any) -> object:  # noqa: ANN401 - an effect
        with lock:
            return studio.perform(effect)

    options = studio.options(max_concurrency=2, wait=wait)
    run = StopRun(ThreadRunner(studio.engine, perform, names(4), options))
    results: list[StopResult] = []
    interrupter = Interrupter(step)
    hit = False
    # Coverage is measured in the same way.
    previous = sys.gettrace()
    sys.settrace(interrupter)
    try:
        for result in run:
            results.append(result)  # noqa: PERF402 - what came before the interrupt counts
    except KeyboardInterrupt:
        hit = True
    finally:
        sys.settrace(previous)
    run.cancel()
    results += run
    run.close()
    return studio, results, hit


def answer_429() -> Any:  # noqa: ANN401 - a Response
    """Make a throttling answer."""
    from tests.support.play import refusal

    return refusal("ThrottlingException", 429)


@pytest.mark.parametrize("wait", [False, True])
def test_interrupt_anywhere(wait: bool) -> None:  # noqa: FBT001
    """Wherever an interrupt comes, a cancelled run ends, and gives a result for every stop."""
    step, beyond, tried = 1, 0, 0
    while beyond < 3:
        studio, results, hit = interrupted(step, wait=wait)
        # The step at which a result is handed to the caller belongs to the caller.
        lost = {session_id for session_id, _ in studio.stops} - {
            result.session_id for result in results
        }
        assert len(lost) <= 1, step
        beyond = 0 if hit else beyond + 1
        step += 1
        tried += hit
    assert tried > 30


def test_error_in_a_clock() -> None:
    """An error that is none of ours ends the run and is raised, after the results in flight."""
    numbers = count()

    def broken() -> str:
        if next(numbers) > 30:
            raise ZeroDivisionError("no more ids")
        return f"id-{next(numbers)}"

    with LocalNimble() as local:
        client = make_client(
            local.endpoint_url, credentials=local.credentials, runtime=Runtime(new_id=broken)
        )
        with client, pytest.raises(ZeroDivisionError, match="no more ids"):
            list(client.stop_sessions(STUDIO, filled(local, 200)))


def test_cancel_breaks_a_poll_off() -> None:
    """A cancelled run does not wait for sessions to stop, and gives them as they were last read."""
    with LocalNimble(transition_seconds=None) as local:
        client = make_client(local.endpoint_url, credentials=local.credentials)
        ids = filled(local, 3)
        results: list[StopResult] = []
        with client, client.stop_sessions(STUDIO, ids, wait=True) as run:
            consumer = threading.Thread(target=lambda: results.extend(run))
            consumer.start()
            # After the second one the pause is half a second or more.
            while len(local.requests.matching(operation="ListStreamingSessions")) < 2:
                time.sleep(0.005)
            run.cancel()
            consumer.join(HANG_GUARD)
            assert not consumer.is_alive()
        assert sorted(result.session_id for result in results) == ids
        assert {str(each.session.state) for each in results if each.session} == {"STOP_IN_PROGRESS"}


def test_shut_down_by_its_own_thread(clock: ManualClock) -> None:
    """The garbage collector may end a run in one of the run's own threads."""
    studio = Studio(clock)
    done = threading.Event()

    def perform(effect: Any) -> object:  # noqa: ANN401 - an effect
        runner.shutdown()
        done.set()
        return studio.perform(effect)

    runner = ThreadRunner(studio.engine, perform, ["a"], studio.options())
    run = StopRun(runner)
    assert [result.session_id for result in run] == ["a"]
    assert done.is_set()


SCRIPT = """
import nimble_stop, sys
client = nimble_stop.NimbleClient()
run = client.stop_sessions("studio-1", (f"session-{n}" for n in range(100)), max_concurrency=6)
print(next(run).session_id)
"""


def test_end_of_the_program() -> None:
    """A program that ends in the middle of a run finishes the stops in flight, in silence."""
    with LocalNimble() as local:
        filled(local, 100)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT],
            env=local.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        seen = local.requests.matching(operation="StopStreamingSession")
        assert all(record.applied for record in seen)
        assert 1 <= len(seen) <= 7


FAULTS: list[tuple[Any, float]] = [
    (ServiceFailure("ThrottlingException"), 0.2),
    (ServiceFailure("InternalServerErrorException"), 0.05),
    (ServiceFailure("AccessDeniedException"), 0.02),
    (ResetBeforeChange(), 0.03),
    (ResetAfterChange(), 0.05),
    (TruncatedBody(), 0.05),
]


def inject_faults(local: LocalNimble, seed: int) -> None:
    """Let many of the stops fail."""
    for number, (fault, probability) in enumerate(FAULTS):
        local.inject(
            fault,
            operation="StopStreamingSession",
            probability=probability,
            seed=seed * 100 + number,
        )


def check(local: LocalNimble, results: list[StopResult]) -> None:
    """Compare results with the endpoint's journal: no session stopped twice, no result untrue."""
    applied = [str(record.session_id) for record in local.requests.matching(applied=True)]
    assert len(applied) == len(set(applied))
    for result in results:
        if result.error is None:
            assert result.session_id in applied
        elif not result.error.outcome_unknown:
            assert result.session_id not in applied


def test_thousands() -> None:
    """Of 2,000 sessions, through faults, each has a true result, and none is stopped twice."""
    with LocalNimble() as local, quick_client(local) as client:
        ids = filled(local, 2000)
        inject_faults(local, 1)
        results = list(client.stop_sessions(STUDIO, ids, max_concurrency=16, run_id="night"))

        assert sorted(result.session_id for result in results) == sorted(ids)
        check(local, results)
        failed = [result for result in results if result.error]
        assert 0 < len(failed) < 400
        kinds = {type(result.error) for result in failed}
        assert AccessDeniedException in kinds

        # The same run again completes what failed, and changes nothing else.
        local.clear_faults()
        some = [*(result.session_id for result in failed), *ids[:200]]
        again = list(client.stop_sessions(STUDIO, some, max_concurrency=16, run_id="night"))
        assert {result.error for result in again} == {None}
        stops = local.requests.matching(operation="StopStreamingSession")
        assert sorted(str(stop.session_id) for stop in stops if stop.applied) == sorted(ids)
        assert len({(stop.session_id, stop.client_token) for stop in stops}) == len(ids)


def test_broken_off_and_repeated() -> None:
    """A run that is left in the middle, again and again, completes under its id, nothing twice."""
    with LocalNimble() as local, quick_client(local, retry=RetryPolicy(max_attempts=2)) as client:
        ids = filled(local, 300)
        results: dict[str, StopResult] = {}
        for turn in range(4):
            local.clear_faults()
            inject_faults(local, turn)
            with client.stop_sessions(STUDIO, ids, run_id="night", max_concurrency=6) as run:
                results |= {each.session_id: each for each in islice(run, 80 * (turn + 1))}
        local.clear_faults()
        results |= {
            each.session_id: each for each in client.stop_sessions(STUDIO, ids, run_id="night")
        }

        assert {result.error for result in results.values()} == {None}
        for session_id in ids:
            local.requests.assert_stopped_once(session_id)


def test_repeated_and_started_again() -> None:
    """A run that finds a session of an earlier run of its id ready again has an error for it."""
    clock = ManualClock()
    with (
        LocalNimble(clock=lambda: clock.epoch) as local,
        make_client(local.endpoint_url, clock, credentials=local.credentials) as client,
    ):
        ids = filled(local, 3)
        list(client.stop_sessions(STUDIO, ids, run_id="night"))
        clock.advance(60)
        local.remove_session(STUDIO, ids[0])
        local.add_session(studio_id=STUDIO, session_id=ids[0])
        results = {
            result.session_id: result
            for result in client.stop_sessions(STUDIO, ids, run_id="night")
        }

        error = results[ids[0]].error
        assert isinstance(error, UnexpectedStateError)
        assert error.session is results[ids[0]].session
        assert [results[name].error for name in ids[1:]] == [None, None]
        assert {result.repeated for result in results.values()} == {True}


def test_shared_client() -> None:
    """Runs of one client at the same time do not disturb each other."""
    with LocalNimble() as local, quick_client(local) as client, ExitStack() as stack:
        ids = filled(local, 60)
        runs = [
            stack.enter_context(client.stop_sessions(STUDIO, ids[start::3], max_concurrency=3))
            for start in range(3)
        ]
        seen: list[str] = []
        for results in zip(*runs, strict=True):
            seen += [result.session_id for result in results if result.error is None]
        assert sorted(seen) == sorted(ids)
