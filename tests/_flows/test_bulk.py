from __future__ import annotations

import json
import tracemalloc
from itertools import count, islice, repeat as endless
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from nimble_stop import RetryPolicy, StopResult, StreamingSessionState as State
from nimble_stop._api.response import Response
from nimble_stop._call.steps import Send
from nimble_stop._flows.bulk import Pace
from nimble_stop._flows.results import derived_token
from nimble_stop.exceptions import (
    AccessDeniedException,
    ConnectionLostError,
    InternalServerErrorException,
    NimbleStopError,
    RequestValidationError,
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
    assert studio.reads == []


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
    """Endless invalid ids give one result at a time, and do not pile up."""
    runner = Runner(studio.plan(endless("")), studio.perform)
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
def test_any_sequence(random: Any, most: int, wait: bool) -> None:  # noqa: ANN401, FBT001 - hypothesis'
    """In whatever sequence stops and polls end, every id gives one result."""
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


def test_run_again(studio: Studio) -> None:
    """A run with the same run id sends the same tokens, another run id others."""
    for run_id in ("night", "night", "day"):
        run(studio, names(3), run_id=run_id, retention="RETAIN")
    tokens = [token for _, token in studio.stops]

    assert tokens[:3] == tokens[3:6]
    assert not set(tokens[6:]) & set(tokens[:6])
    assert tokens[0] == derived_token("night", "studio-1", "s0", "RETAIN")


@pytest.mark.parametrize(("ago", "repeated"), [(3600.0, True), (3.0, True), (1.0, False)])
def test_repeated(ago: float, repeated: bool, clock: ManualClock) -> None:  # noqa: FBT001
    """A stop that began before the run did is reported as an earlier run's."""
    studio = Studio(clock)
    plan = studio.plan(["a"])
    clock.advance(-ago)
    (result,) = Runner(plan, studio.perform)
    assert (result.repeated, result.error) == (repeated, None)
    # Only an old answer makes the session be read.
    assert studio.reads == ([("Get", ["a"])] if repeated else [])


def repeat(studio: Studio, perform: Any = None, **options: Any) -> StopResult:  # noqa: ANN401 - a perform, the options of a run
    """Stop a session that an earlier run has stopped."""
    plan = studio.plan(["a"], **options)
    studio.clock.advance(-3600)
    (result,) = Runner(plan, perform or studio.perform)
    assert result.repeated is True
    assert result.attempts == 1
    return result


EARLY, LATE = "2026-11-23T01:00:00Z", "2026-11-23T01:00:01Z"


@pytest.mark.parametrize(
    "members",
    [
        {"state": "STOPPED"},
        {"state": "STOP_IN_PROGRESS"},
        {"state": "DELETED"},
        {"state": "READY", "stoppedAt": LATE, "startedAt": EARLY},
    ],
    ids=str,
)
def test_repeated_and_still_stopped(members: dict[str, object], studio: Studio) -> None:
    """A session that an earlier run stopped, and that is not running, is a success as read now."""
    studio.states["a"] = members
    result = repeat(studio)
    assert result.error is None
    assert result.session is not None
    assert result.session.state == members["state"]


@pytest.mark.parametrize(
    "members",
    [
        {"state": "READY"},
        {"state": "READY", "stoppedAt": EARLY, "startedAt": LATE},
        {"state": "START_IN_PROGRESS"},
    ],
    ids=str,
)
def test_repeated_and_started_again(members: dict[str, object], studio: Studio) -> None:
    """A session that was started again after the earlier run is no success."""
    studio.states["a"] = members
    result = repeat(studio)
    assert isinstance(result.error, UnexpectedStateError)
    assert "new run id" in str(result.error)
    assert result.session is result.error.session
    assert result.session is not None
    assert result.session.state == members["state"]


def test_repeated_and_failed(studio: Studio) -> None:
    """A session that failed to stop in the earlier run is no success."""
    studio.states["a"] = {"state": "STOP_FAILED", "statusCode": "INTERNAL_ERROR"}
    assert isinstance(repeat(studio).error, StopFailedError)


def test_new_run_id_repeats_nothing(studio: Studio) -> None:
    """A run with a new id has no earlier one, whatever time an answer has: nothing is read."""
    plan = studio.plan(["a"], may_repeat=False)
    studio.clock.advance(-3600)
    assert [result.repeated for result in Runner(plan, studio.perform)] == [False]
    assert studio.reads == []


def test_batch_of_an_earlier_run(studio: Studio) -> None:
    """What a batch finds stopped is an earlier run's only if that was before its whole run."""
    for began, repeated in ((-7200, False), (0, True)):
        plan = studio.plan(["a"], began=studio.clock.epoch + began)
        studio.clock.advance(-3600)
        assert [result.repeated for result in Runner(plan, studio.perform)] == [repeated]


def test_repeated_and_polled(studio: Studio) -> None:
    """With wait the polls find out, at no further request."""
    studio.states["a"] = {"state": "READY"}
    assert isinstance(repeat(studio, wait=True).error, UnexpectedStateError)
    assert studio.reads == [("List", ["a"])]


@pytest.mark.parametrize(
    ("refused", "error"), [(DENIED, None), (FAILED, InternalServerErrorException)]
)
def test_repeated_and_not_readable(
    refused: Response, error: type[NimbleStopError] | None, studio: Studio
) -> None:
    """Without permission to read, the answer counts; a read that failed otherwise is the error."""

    def perform(effect: Any) -> object:  # noqa: ANN401 - an effect
        reads = isinstance(effect, Send) and effect.request.method == "GET"
        return refused if reads else studio.perform(effect)

    result = repeat(studio, perform)
    assert type(result.error) is (error or type(None))
    assert result.session is not None
    assert result.session.state is State.STOP_IN_PROGRESS


def test_repeated_and_throttled(studio: Studio) -> None:
    """A read that is throttled to the end of its attempts gets a new turn, as a stop does."""
    refusals = [THROTTLED] * studio.engine.policy.max_attempts

    def perform(effect: Any) -> object:  # noqa: ANN401 - an effect
        reads = isinstance(effect, Send) and effect.request.method == "GET"
        return refusals.pop() if reads and refusals else studio.perform(effect)

    plan = studio.plan(["a"])
    studio.clock.advance(-3600)
    (result,) = Runner(plan, perform)
    assert (result.repeated, result.error, refusals) == (True, None, [])
    assert len({token for _, token in studio.stops}) == 1


def test_repeated_without_a_time(studio: Studio) -> None:
    """An answer that does not say when the stop began counts as a new one."""
    studio.faults["a"] = [Response(200, {}, b'{"session": {"sessionId": "a"}}')]
    assert [result.repeated for result in run(studio, ["a"])] == [False]


def test_service_clock_behind(studio: Studio) -> None:
    """A service whose clock is known to be behind does not make new stops count as old."""
    late = studio.clock.epoch - 600
    studio.engine._skew.seconds = -600.0
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
    """After six turns throttling is the result, with all attempts of all turns."""
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
    """A throttled session is next when it has a slot, and the others go on meanwhile."""
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


def note(pace: Pace, outcomes: str) -> list[int]:
    """Note calls, a dot for one that went well and an x for a throttled one; give the limits."""
    limits: list[int] = []
    for outcome in outcomes:
        pace.note(throttled=outcome == "x")
        limits.append(pace.limit)
    return limits


@pytest.mark.parametrize("maximum", [1, 2, 8, 32])
def test_pace_unthrottled(maximum: int) -> None:
    """Without throttling as many are in flight as are allowed, from the first to the last."""
    assert set(note(Pace(maximum), "." * 200)) == {maximum}


def test_pace_ignores_bad_luck() -> None:
    """Less than a whole window of calls says nothing, and a third throttled is tolerated."""
    assert set(note(Pace(8), "x" * 29)) == {8}
    assert set(note(Pace(8), "x.." * 100)) == {8}


def test_pace_shrinks() -> None:
    """Each window with more throttling than that takes three tenths away."""
    limits = note(Pace(32), "xx." * 30)

    assert limits[28] == 32
    assert [limits[29], limits[59], limits[89]] == [22, 15, 10]


def test_pace_never_stops() -> None:
    """However much is throttled, one call is always allowed."""
    assert note(Pace(32), "x" * 1000)[-1] == 1
    assert set(note(Pace(1), "x" * 100)) == {1}


def test_pace_grows_back() -> None:
    """When the throttling is over, one more is in flight for each round of calls, up to all."""
    pace = Pace(8)
    note(pace, "x" * 60)
    assert pace.limit == 3

    limits = note(pace, "." * 100)
    # Not before a whole window went well.
    assert limits[28] == 3
    assert sorted(limits) == limits
    assert limits[-1] == 8
    assert set(limits) == {3, 4, 5, 6, 7, 8}


def test_pace_settles() -> None:
    """Against a service that stands four calls at a time, the pace stays in reach of that."""
    pace = Pace(32)
    limits: list[int] = []
    for _ in range(3000):
        pace.note(throttled=pace.limit > 4)
        limits.append(pace.limit)

    assert set(limits[-1000:]) <= {2, 3, 4, 5}


@given(st.integers(1, 64), st.text("x.", max_size=400))
def test_pace_stays_in_bounds(maximum: int, outcomes: str) -> None:
    """Whatever happens, the limit is from one to the maximum."""
    assert all(1 <= limit <= maximum for limit in note(Pace(maximum), outcomes))


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
    plan.submitted(work)
    plan.finish(work, Runner(plan, studio.perform)._do(work))
    assert (plan.is_over, list(plan.results)) == (False, [])

    plan.cancel()
    assert plan.next_work() is None
    (result,) = plan.results
    assert isinstance(result.error, ThrottlingException)
    assert plan.is_over


def test_no_turns_after_a_cancel(studio: Studio) -> None:
    """A stop that is throttled after the cancel gets no further turn."""
    studio.faults["a"] = [THROTTLED] * 100
    plan = studio.plan(["a"])
    work = plan.next_work()
    assert work is not None
    plan.submitted(work)
    plan.cancel()
    plan.finish(work, Runner(plan, studio.perform)._do(work))
    assert plan.next_work() is None
    assert [result.attempts for result in plan.results] == [3]
    assert plan.is_over


def test_foreign_error_ends_the_run(studio: Studio) -> None:
    """An error that is none of ours, such as a bug in a clock, ends the run and is raised."""
    studio.faults["s3"] = [ZeroDivisionError("the clock")]
    runner = Runner(studio.plan(names(50), max_concurrency=2), studio.perform)
    results: dict[str, StopResult] = {}
    with pytest.raises(ZeroDivisionError, match="the clock"):
        results.update((result.session_id, result) for result in runner)

    stopped = [session_id for session_id, _ in studio.stops]
    assert len(stopped) < 10
    assert set(results) == set(stopped)
    assert [each.session_id for each in results.values() if each.error] == ["s3"]


@pytest.mark.parametrize("cancelled", [False, True])
def test_foreign_error_has_a_result(cancelled: bool, studio: Studio) -> None:  # noqa: FBT001
    """The session of such an error has a result, and the error is raised, also after a cancel."""
    studio.faults["a"] = [THROTTLED] * 3
    plan = studio.plan(["a"])
    runner = Runner(plan, studio.perform)
    for _ in range(2):
        work = plan.next_work()
        assert work is not None
        plan.submitted(work)
        if work.job and work.job.turns:
            studio.faults["a"] = [ZeroDivisionError("the clock")]
            if cancelled:
                plan.cancel()
        plan.finish(work, runner._do(work))

    (result,) = plan.results
    assert isinstance(result.error, ConnectionLostError)
    assert isinstance(result.error.__cause__, ZeroDivisionError)
    assert result.error.outcome_unknown is True
    assert result.error.client_token == result.client_token
    assert result.attempts == result.error.attempts == 4
    plan.results.clear()
    with pytest.raises(ZeroDivisionError, match="the clock"):
        plan.take(StopIteration)


def test_broken_off_before_anything_was_sent(studio: Studio) -> None:
    """A stop that is broken off before its request was sent is known not to have happened."""
    plan = studio.plan(["a"])
    work = plan.next_work()
    assert work is not None
    plan.submitted(work)
    plan.break_off(work, KeyboardInterrupt())

    (result,) = plan.results
    assert isinstance(result.error, ConnectionLostError)
    assert result.error.outcome_unknown is False
    assert plan.running == 0
    plan.results.clear()
    with pytest.raises(StopIteration):
        plan.take(StopIteration)


def test_wait(studio: Studio) -> None:
    """With wait the results come when the sessions have stopped."""
    results = run(studio, names(20), wait=True)

    assert len(results) == 20
    assert {result.session.state for result in results if result.session} == {State.STOPPED}
    assert {result.error for result in results} == {None}


def test_wait_holds_back(studio: Studio) -> None:
    """With a thousand sessions waited for, no new stop begins before one of them has ended."""
    studio.after_stop = "STOP_IN_PROGRESS"
    plan = studio.plan((f"s{number}" for number in count()), wait=True, deadline=1e6)
    # The poll is in flight all the time; only stops end.
    works: list[Any] = []
    for _ in range(3000):
        work = plan.next_work()
        if work is None:
            break
        plan.submitted(work)
        if not work.is_poll:
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
    polls: list[Work] = []
    while (work := plan.next_work()) is not None:
        plan.submitted(work)
        if work.is_poll:
            polls.append(work)
        else:
            plan.finish(work, Runner(plan, studio.perform)._do(work))
    plan.cancel()
    assert plan.next_work() is None
    results = list(plan.results)
    plan.break_off(polls[0], KeyboardInterrupt())

    assert [result.session_id for result in results] == names(3)
    assert {result.error for result in results} == {None}
    assert {result.session.state for result in results if result.session} == {
        State.STOP_IN_PROGRESS
    }
    assert plan.is_over
    plan.results.clear()
    with pytest.raises(StopIteration):
        plan.take(StopIteration)


def peak(ids: int, *, wait: bool) -> int:
    """Measure the most memory that a run takes."""
    studio = Studio(ManualClock(), keeps_track=False)
    studio.reads = _Forgetful()
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
    # What waits for the garbage collector varies; a result kept would be a KiB each.
    assert peak(many, wait=wait) <= peak(few, wait=wait) * 1.05 + 150_000
