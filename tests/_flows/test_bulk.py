from __future__ import annotations

import json
import tracemalloc
from hashlib import sha256
from itertools import count, islice, repeat
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from nimble_stop import RetryPolicy, StopResult, StreamingSessionState as State, VolumeRetentionMode
from nimble_stop._api.response import Response
from nimble_stop._flows.bulk import derived_token
from nimble_stop.exceptions import (
    AccessDeniedException,
    ConnectionLostError,
    DeadlineExceededError,
    NimbleStopError,
    RequestValidationError,
    ResourceNotFoundException,
    StopFailedError,
    ThrottlingException,
    UnexpectedStateError,
)
from tests.support.clock import ManualClock
from tests.support.play import refusal
from tests.support.studio import Runner, Studio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nimble_stop._flows.bulk import Work

THROTTLED = refusal("ThrottlingException", 429)
FAILED = refusal("InternalServerErrorException", 500)
DENIED = refusal("AccessDeniedException", 403)


@pytest.fixture
def studio(clock: ManualClock) -> Studio:
    """Give a studio in which every stop begins at once."""
    return Studio(clock)


def run(studio: Studio, ids: Iterable[str], **options: Any) -> list[StopResult]:  # noqa: ANN401 - the options of a run
    """Run to the end."""
    return list(Runner(studio.plan(ids, **options), studio.perform))


def names(count_: int) -> list[str]:
    """Give some session ids."""
    return [f"s{number}" for number in range(count_)]


def test_one_result_each(studio: Studio) -> None:
    """Every id gives one result, with the session as the service answered."""
    results = run(studio, iter(names(100)))

    assert [result.session_id for result in results] == names(100)
    assert {(result.error, result.attempts, result.repeated) for result in results} == {
        (None, 1, False)
    }
    for result in results:
        assert result.session is not None
        assert result.session.session_id == result.session_id
        assert result.session.state is State.STOP_IN_PROGRESS
    assert studio.stops == [(result.session_id, result.client_token) for result in results]
    assert studio.looks == []


@pytest.mark.parametrize("ids", [[], (), iter([]), {}, set[str]()])
def test_nothing_to_do(ids: Iterable[str], studio: Studio) -> None:
    """No ids are no results."""
    assert run(studio, ids) == []


class Countdown:
    """An iterator that has a length, as some progress bars have."""

    def __init__(self, ids: list[str]) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._ids:
            raise StopIteration
        return self._ids.pop(0)


def test_falsy_iterator(studio: Studio) -> None:
    """An iterator that counts as false is taken to its end all the same."""
    assert len(run(studio, Countdown(names(20)), max_concurrency=1)) == 20


def test_endless(studio: Studio) -> None:
    """Of an endless iterable only as many ids are taken as results are, and one for each slot."""
    taken = 0

    def ids() -> Iterator[str]:
        nonlocal taken
        for number in count():
            taken += 1
            yield f"s{number}"

    runner = Runner(studio.plan(ids(), max_concurrency=4), studio.perform)
    assert [result.session_id for result in islice(runner, 50)] == names(50)
    assert taken <= 54

    runner.plan.cancel()
    rest = list(runner)
    assert 50 + len(rest) == taken == len(studio.stops)


def test_iterable_that_fails(studio: Studio) -> None:
    """When the iterable raises, the results of what began come first, then its error, once."""

    def ids() -> Iterator[str]:
        yield from names(10)
        raise LookupError("the list broke")

    runner = Runner(studio.plan(ids(), max_concurrency=4), studio.perform)
    assert [result.session_id for result in islice(runner, 10)] == names(10)
    with pytest.raises(LookupError, match="the list broke"):
        next(runner)
    assert list(runner) == []


@pytest.mark.parametrize("ids", ["session-1", b"session-1", 7, None])
def test_no_iterable(ids: Any, studio: Studio) -> None:  # noqa: ANN401 - wrong on purpose
    """One string, whose characters would pass for ids, is refused, and what is no iterable too."""
    with pytest.raises(RequestValidationError, match="session_ids"):
        studio.plan(ids)


@pytest.mark.parametrize(
    "options",
    [
        {"studio_id": ""},
        {"retention": "KEEP"},
        {"run_id": 7},
        {"run_id": "\ud800"},
        {"max_concurrency": 0},
        {"max_concurrency": 2.5},
    ],
    ids=str,
)
def test_refused(options: dict[str, Any], studio: Studio) -> None:
    """What no session can be stopped with is refused before the first."""
    with pytest.raises(RequestValidationError):
        studio.plan([], **options)


def test_invalid_ids(studio: Studio) -> None:
    """An invalid id is a result of its own, between the others; nothing is sent for it."""
    bad: list[Any] = ["", "..", 7, None, "\ud800"]
    results = run(studio, ["a", *bad, "b"], max_concurrency=1)

    by_id = {str(result.session_id): result for result in results}
    assert len(results) == len(by_id) == 7
    assert [session_id for session_id, _ in studio.stops] == ["a", "b"]
    for session_id in map(str, bad):
        result = by_id[session_id]
        assert isinstance(result.error, RequestValidationError)
        assert (result.session, result.client_token, result.attempts) == (None, None, 0)


def test_endless_invalid_ids(studio: Studio) -> None:
    """Endless invalid ids are told one by one, and do not pile up."""
    runner = Runner(studio.plan(repeat("")), studio.perform)
    for _ in islice(runner, 100):
        assert len(runner.plan.results) <= 1


def test_duplicates(studio: Studio) -> None:
    """An id that comes twice gives two results, under the same token."""
    results = run(studio, ["a", "b", "a"])

    assert sorted(result.session_id for result in results) == ["a", "a", "b"]
    assert len({result.client_token for result in results if result.session_id == "a"}) == 1


@pytest.mark.parametrize("most", [1, 3, 8, 40])
def test_concurrency(most: int, studio: Studio) -> None:
    """As many stops as allowed are in flight, and not one more."""
    runner = Runner(studio.plan(names(100), max_concurrency=most), studio.perform)
    assert len(list(runner)) == 100
    assert runner.most == most


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(1, 10), st.booleans())
def test_any_order(random: Any, most: int, wait: bool) -> None:  # noqa: ANN401, FBT001 - hypothesis'
    """In whatever order stops and looks end, every id gives one result."""
    studio = Studio(ManualClock())
    for number in range(0, 40, 3):
        studio.faults[f"s{number}"] = random.choices([THROTTLED, FAILED, DENIED], k=5)
    plan = studio.plan(names(40), max_concurrency=most, wait=wait)
    results = list(Runner(plan, studio.perform, pick=random.randrange))

    assert sorted(result.session_id for result in results) == sorted(names(40))
    for result in results:
        expected = State.STOPPED if wait else State.STOP_IN_PROGRESS
        assert (result.session is not None and result.session.state == expected) is (
            result.error is None
        )


def test_errors_are_values(studio: Studio) -> None:
    """A failed stop is a result with its error, and the others go on."""
    studio.faults = {"s1": [DENIED], "s2": [FAILED] * 3, "s3": [ConnectionLostError("no")] * 3}
    results = {result.session_id: result for result in run(studio, names(5))}

    assert isinstance(results["s1"].error, AccessDeniedException)
    assert [results[name].attempts for name in names(5)] == [1, 1, 3, 3, 1]
    assert [result.error is None for result in results.values()].count(True) == 2
    for name in ("s1", "s2", "s3"):
        error = results[name].error
        assert error is not None
        assert error.client_token == results[name].client_token is not None
        assert error.attempts == results[name].attempts
        assert error.outcome_unknown is (name != "s1")
        assert results[name].session is None


def test_tokens() -> None:
    """A token is made of run id, studio, session and retention, and of nothing else."""
    token = derived_token("run", "studio", "session", None)

    assert token == sha256(b'["run", "studio", "session", null]').hexdigest()
    assert len(token) == 64
    others = [
        derived_token("run2", "studio", "session", None),
        derived_token("run", "studio2", "session", None),
        derived_token("run", "studio", "session2", None),
        derived_token("run", "studio", "session", "RETAIN"),
        derived_token("run", "studio", "session", "DELETE"),
        derived_token("studio", "run", "session", None),
        derived_token("run", "studio", "session", "None"),
        derived_token('run", "studio', "studio", "session", None),
    ]
    assert len({token, *others}) == len(others) + 1
    assert derived_token("run", "studio", "session", VolumeRetentionMode.RETAIN) == others[3]


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_tokens_do_not_collide(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Whatever is in the ids, other values give another token."""
    assert (derived_token(*one, None) == derived_token(*other, None)) is (one == other)


def test_run_again(studio: Studio) -> None:
    """A run with the same run id sends the same tokens, another run id others."""
    for run_id in ("night", "night", "day"):
        run(studio, names(3), run_id=run_id, retention="RETAIN")
    tokens = [token for _, token in studio.stops]

    assert tokens[:3] == tokens[3:6]
    assert not set(tokens[6:]) & set(tokens[:6])
    assert tokens[0] == derived_token("night", "studio-1", "s0", "RETAIN")


@pytest.mark.parametrize(
    ("ago", "repeated"), [(3600.0, True), (3.5, True), (1.0, False), (0.0, False), (-60.0, False)]
)
def test_repeated(ago: float, repeated: bool, clock: ManualClock) -> None:  # noqa: FBT001
    """A stop that began before the run did is told to be an earlier run's."""
    studio = Studio(clock)
    plan = studio.plan(["a"])
    clock.advance(-ago)
    assert [result.repeated for result in Runner(plan, studio.perform)] == [repeated]


def test_repeated_without_a_time(studio: Studio) -> None:
    """An answer that does not tell when the stop began is taken for a new one."""
    studio.faults["a"] = [Response(200, {}, b'{"session": {"sessionId": "a"}}')]
    assert [result.repeated for result in run(studio, ["a"])] == [False]


def test_service_clock_behind(studio: Studio) -> None:
    """A service whose clock is known to be behind does not make new stops look old."""
    late = studio.clock.epoch - 600
    studio.engine._skew._seconds = -600.0
    answers = [{"sessionId": "a", "stoppedAt": late + after} for after in (0, -100)]
    for answer, repeated in zip(answers, (False, True), strict=True):
        studio.faults["a"] = [Response(200, {}, json.dumps({"session": answer}).encode())]
        assert [result.repeated for result in run(studio, ["a"])] == [repeated]


def test_throttled_sessions_get_turns(studio: Studio) -> None:
    """A session that is throttled to the end of its attempts has further turns, after a pause."""
    studio.faults["a"] = [THROTTLED] * 7
    (result,) = run(studio, ["a"])

    assert result.error is None
    assert result.attempts == 8
    assert len({token for _, token in studio.stops}) == 1
    # Two pauses in a turn, one between two turns.
    assert len(studio.clock.slept) == 7


def test_turns_end(studio: Studio) -> None:
    """After six turns throttling is told, with all attempts of all turns."""
    studio.faults["a"] = [THROTTLED] * 100
    (result,) = run(studio, ["a"])

    assert isinstance(result.error, ThrottlingException)
    assert result.attempts == result.error.attempts == len(studio.stops) == 18
    assert result.error.attempt_errors == ("ThrottlingException (HTTP 429)",) * 18
    assert result.error.waited == pytest.approx(sum(studio.clock.slept))


def test_unknown_outcome_is_not_forgotten(studio: Studio) -> None:
    """What is not known after one turn is not claimed to be known after the next."""
    studio.faults["a"] = [ConnectionLostError("no"), THROTTLED, THROTTLED, DENIED]
    (result,) = run(studio, ["a"])

    assert isinstance(result.error, AccessDeniedException)
    assert result.error.outcome_unknown is True
    assert result.error.attempt_errors[0] == "ConnectionLostError"


def test_turns_wait_for_nobody(studio: Studio) -> None:
    """A throttled session goes to the front of the line, and the others go on meanwhile."""
    studio.faults["s0"] = [THROTTLED] * 3
    results = run(studio, names(6), max_concurrency=2)

    assert [result.session_id for result in results] == ["s1", "s0", "s2", "s3", "s4", "s5"]


def test_pace(studio: Studio) -> None:
    """Under throttling fewer stops are in flight, and afterwards as many as before."""
    for name in names(60):
        studio.faults[name] = [THROTTLED] * 3
    plan = studio.plan(names(460))
    in_flight = [plan.running for _ in Runner(plan, studio.perform)]
    assert min(in_flight[:-10]) <= 4
    assert max(in_flight[100:-10]) == 7
    assert len(in_flight) == 460


def test_quick_throttling_is_noticed(clock: ManualClock) -> None:
    """Throttling that a retry got over slows the run down too."""
    studio = Studio(clock, settings={"retry": RetryPolicy(max_attempts=2)})
    for name in names(90):
        studio.faults[name] = [THROTTLED]
    plan = studio.plan(names(90), max_concurrency=10)
    runner = Runner(plan, studio.perform)
    assert {result.error for result in runner} == {None}
    assert plan._pace.limit < 10


def test_cancel(studio: Studio) -> None:
    """After a cancel only what is in flight is still reported."""
    runner = Runner(studio.plan(names(100), max_concurrency=5), studio.perform)
    first = [result.session_id for result in islice(runner, 10)]
    runner.plan.cancel()
    runner.plan.cancel()
    rest = [result.session_id for result in runner]

    assert first + rest == [session_id for session_id, _ in studio.stops]
    assert len(rest) <= 5


def test_cancel_reports_the_throttled(studio: Studio) -> None:
    """A session that waits for its next turn is reported as it is when the run is cancelled."""
    studio.faults["a"] = [THROTTLED] * 100
    plan = studio.plan(["a"])
    work = plan.next_work()
    assert work is not None
    plan.begun(work)
    plan.finish(work, Runner(plan, studio.perform)._do(work))
    assert (plan.is_over, list(plan.results)) == (False, [])

    plan.cancel()
    (result,) = plan.results
    assert isinstance(result.error, ThrottlingException)
    assert plan.is_over


def test_no_turns_after_a_cancel(studio: Studio) -> None:
    """A stop that is throttled after the cancel gets no further turn."""
    studio.faults["a"] = [THROTTLED] * 100
    plan = studio.plan(["a"])
    work = plan.next_work()
    assert work is not None
    plan.begun(work)
    plan.cancel()
    plan.finish(work, Runner(plan, studio.perform)._do(work))
    assert [result.attempts for result in plan.results] == [3]
    assert plan.is_over


def test_foreign_error_ends_the_run(studio: Studio) -> None:
    """An error that is none of ours, such as a bug in a clock, ends the run and is raised."""
    studio.faults["s3"] = [ZeroDivisionError("the clock")]
    runner = Runner(studio.plan(names(50), max_concurrency=2), studio.perform)
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError, match="the clock"):
        seen.extend(result.session_id for result in runner)

    stopped = [session_id for session_id, _ in studio.stops]
    assert len(stopped) < 10
    assert set(seen) == set(stopped) - {"s3"}


def test_wait(studio: Studio) -> None:
    """With wait the results come when the sessions have stopped."""
    results = run(studio, names(20), wait=True)

    assert len(results) == 20
    assert {result.session.state for result in results if result.session} == {State.STOPPED}
    assert {result.error for result in results} == {None}


def test_wait_reads_pages(studio: Studio) -> None:
    """Sessions that are waited for are read by the page, not one by one."""
    run(studio, names(120), wait=True, max_concurrency=120)

    assert {operation for operation, _ in studio.looks} == {"List"}
    assert sorted(len(ids) for _, ids in studio.looks)[-2:] == [50, 50]
    assert len(studio.looks) <= 10


def test_wait_looks_again(studio: Studio) -> None:
    """Looks repeat with growing pauses until the last session has stopped."""
    studio.after_stop = "STOP_IN_PROGRESS"
    plan = studio.plan(names(3), wait=True)
    runner = Runner(plan, studio.perform, pick=lambda number: number - 1)
    stops_at = studio.clock.monotonic + 100

    def perform(effect: Any) -> object:  # noqa: ANN401 - an effect
        if studio.clock.monotonic > stops_at:
            studio.after_stop = "STOPPED"
        return studio.perform(effect)

    runner.perform = perform
    assert [result.error for result in runner] == [None] * 3
    assert studio.clock.slept[:4] == pytest.approx([0.1875, 0.375, 0.75, 1.5])
    assert max(studio.clock.slept) == pytest.approx(3.75)


def test_wait_ends(studio: Studio) -> None:
    """Sessions that will never stop are told: failed, deleted, started again."""
    studio.states = {
        "s1": {"state": "STOP_FAILED", "statusMessage": "no network"},
        "s2": {"state": "DELETED"},
        "s3": {"state": "READY"},
        "s,4": {},
        "s,5": {"state": "STOP_FAILED"},
        "s6": {"state": "DELETE_IN_PROGRESS"},
    }
    results = {
        result.session_id: result for result in run(studio, ["s0", *studio.states], wait=True)
    }

    kinds = {session_id: type(result.error) for session_id, result in results.items()}
    assert kinds == {
        "s0": type(None),
        "s1": StopFailedError,
        "s2": UnexpectedStateError,
        "s3": UnexpectedStateError,
        "s,4": type(None),
        "s,5": StopFailedError,
        "s6": UnexpectedStateError,
    }
    # Only what no page can hold is read alone: ids with commas and deleted sessions.
    assert {ids[0] for kind, ids in studio.looks if kind == "Get"} == {"s,4", "s,5", "s2"}
    for result in results.values():
        assert result.session is not None
        assert result.attempts == 1


def test_wait_for_a_session_that_is_gone(studio: Studio) -> None:
    """A session that the service knows no more is told, and the others are waited for."""
    gone = refusal("ResourceNotFoundException", 404)
    plan = studio.plan(["a", "b"], wait=True)
    studio.states["a"] = {"state": "DELETED"}
    read = studio._read

    class Gone(Studio):
        def _read(self, session_id: str) -> Response:
            return gone if session_id == "a" else read(session_id)

    perform = Gone(studio.clock, states=studio.states).perform
    kinds = {result.session_id: type(result.error) for result in Runner(plan, perform)}
    assert kinds == {"a": ResourceNotFoundException, "b": type(None)}


def failing_looks(studio: Studio, failures: list[Response | BaseException]) -> Any:  # noqa: ANN401 - a perform
    """Let the next requests that read come to something else."""

    def perform(effect: Any) -> object:  # noqa: ANN401 - an effect
        if hasattr(effect, "total") and effect.request.method == "GET" and failures:
            failure = failures.pop(0)
            if isinstance(failure, BaseException):
                raise failure
            return failure
        return studio.perform(effect)

    return perform


def test_wait_survives(studio: Studio) -> None:
    """An outage while waiting costs time only."""
    failures: list[Response | BaseException] = [FAILED, THROTTLED, *[ConnectionLostError("no")] * 9]
    perform = failing_looks(studio, failures)
    runner = Runner(studio.plan(names(5), wait=True), perform)

    assert [result.error for result in runner] == [None] * 5
    assert failures == []


def test_wait_is_refused(studio: Studio) -> None:
    """When reading is refused for good, every session that is waited for is told so."""
    perform = failing_looks(studio, [DENIED])
    runner = Runner(studio.plan(names(5), wait=True), perform)

    for result in runner:
        assert isinstance(result.error, AccessDeniedException)
        assert result.session is not None
        assert result.session.state is State.STOP_IN_PROGRESS


def test_wait_has_a_deadline(studio: Studio) -> None:
    """A session that does not stop in time is a failure with the session as last read."""
    studio.states["b"] = {"state": "STOP_IN_PROGRESS", "ownedBy": "me"}
    started = studio.clock.monotonic
    results = {each.session_id: each for each in run(studio, ["a", "b"], wait=True, deadline=60)}

    assert results["a"].error is None
    error = results["b"].error
    assert isinstance(error, DeadlineExceededError)
    assert results["b"].session is error.session
    assert error.session is not None
    assert error.session.owned_by == "me"
    assert 60 <= studio.clock.monotonic - started <= 66


def test_wait_holds_back(studio: Studio) -> None:
    """With a thousand sessions waited for, no new stop begins before one of them has ended."""
    studio.after_stop = "STOP_IN_PROGRESS"
    plan = studio.plan((f"s{number}" for number in count()), wait=True, deadline=1e6)
    # The look is in flight all the time; only stops end.
    works: list[Any] = []
    for _ in range(3000):
        work = plan.next_work()
        if work is None:
            break
        plan.begun(work)
        if not work.is_look:
            plan.finish(work, Runner(plan, studio.perform)._do(work))
        works.append(work)
    assert len(studio.stops) == 1000


def test_duplicates_are_waited_for(studio: Studio) -> None:
    """With wait, too, an id that comes twice gives two results."""
    results = run(studio, ["a", "a", "b"], wait=True)
    assert sorted(result.session_id for result in results) == ["a", "a", "b"]
    assert {result.error for result in results} == {None}


def test_cancel_while_waiting(studio: Studio) -> None:
    """A cancel reports the sessions that are waited for as they were last read."""
    plan = studio.plan(names(3), wait=True)
    looks: list[Work] = []
    while (work := plan.next_work()) is not None:
        plan.begun(work)
        if work.is_look:
            looks.append(work)
        else:
            plan.finish(work, Runner(plan, studio.perform)._do(work))
    plan.cancel()
    results = list(plan.results)
    plan.finish(looks[0], KeyboardInterrupt())

    assert [result.session_id for result in results] == names(3)
    assert {result.error for result in results} == {None}
    assert {result.session.state for result in results if result.session} == {
        State.STOP_IN_PROGRESS
    }
    assert plan.is_over
    plan.raise_feed_error()


def peak(ids: int, *, wait: bool) -> int:
    """Measure the most memory that a run takes."""
    studio = Studio(ManualClock(), keeps_track=False)
    studio.looks = _Forgetful()
    studio.clock.slept = _Forgetful()
    plan = studio.plan((f"session-{number}" for number in range(ids)), wait=wait)
    tracemalloc.start()
    try:
        for result in Runner(plan, studio.perform):
            assert result.error is None
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class _Forgetful(list[Any]):
    """A list that keeps nothing."""

    def append(self, item: object) -> None:
        del item


@pytest.mark.parametrize(("few", "many", "wait"), [(300, 3_000, False), (100, 1_000, True)])
def test_memory(few: int, many: int, wait: bool) -> None:  # noqa: FBT001
    """The memory for ten times as many ids is the same."""
    peak(200, wait=wait)
    # What waits for the garbage collector comes and goes; a result kept would be a KiB each.
    assert peak(many, wait=wait) <= peak(few, wait=wait) * 1.05 + 150_000


def test_result_is_a_value(studio: Studio) -> None:
    """Results are frozen values: equal when they tell the same."""
    (result,) = run(studio, ["a"])
    assert result == attrs.evolve(result)
    assert result != attrs.evolve(result, repeated=True)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        result.attempts = 2  # type: ignore[misc]
    assert isinstance(result.error, NimbleStopError | None)
