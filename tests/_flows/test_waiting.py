from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from nimble_stop import StopResult, StreamingSession, StreamingSessionState as State
from nimble_stop._api.request import get_request
from nimble_stop._api.response import Response
from nimble_stop._call.steps import Send, drive
from nimble_stop._flows.waiting import poll_delay, wait_until_stopped
from nimble_stop.exceptions import (
    AccessDeniedException,
    ConfigurationError,
    ConflictException,
    ConnectionFailedError,
    ConnectionLostError,
    DeadlineExceededError,
    NimbleStopError,
    ReadTimeoutError,
    RequestValidationError,
    ResourceNotFoundException,
    ResponseDecodeError,
    StopFailedError,
    ThrottlingException,
    TLSError,
    UnexpectedStateError,
)
from nimble_stop.local import LocalNimble, ServiceFailure, StopFails
from tests.support.clients import make_client
from tests.support.clock import ManualClock
from tests.support.play import Outcome, Play, refusal
from tests.support.scripted import ScriptedServer
from tests.support.studio import Runner, Studio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nimble_stop import NimbleClient
    from nimble_stop._call.steps import Effect

THROTTLED = refusal("ThrottlingException", 429)
FAILED = refusal("InternalServerErrorException", 500)
DENIED = refusal("AccessDeniedException", 403)
UNREADABLE = refusal("TeapotException", 418)
GONE = refusal("ResourceNotFoundException", 404)
EARLY, LATE = "2026-11-23T01:00:00Z", "2026-11-23T01:00:01Z"


def seen(state: str, **members: object) -> Response:
    """Write the answer that shows a session."""
    session = {"sessionId": "session-1", "state": state, **members}
    return Response(200, {}, json.dumps({"session": session}).encode())


STOPPING = seen("STOP_IN_PROGRESS")
STOPPED = seen("STOPPED")


def wait(
    play: Play,
    on_poll: Callable[[StreamingSession], object] | None = None,
    **options: float,
) -> StreamingSession:
    """Wait in a play."""
    times = {"deadline": 900.0, "poll_interval": 5.0, **options}
    request, limit = get_request("studio-1", "session-1"), play.engine.deadline(times["deadline"])
    steps = wait_until_stopped(play.engine, request, limit, times["poll_interval"], on_poll)
    return drive(steps, play._perform)


def test_stopped_already(clock: ManualClock) -> None:
    """A session that has stopped is returned at the first poll, which comes at once."""
    play = Play(clock, [STOPPED])

    assert wait(play).state is State.STOPPED
    assert clock.slept == []


def test_polls_with_backoff(clock: ManualClock) -> None:
    """The delays double from a quarter of a second to the interval."""
    play = Play(clock, [*[STOPPING] * 8, STOPPED])

    wait(play)
    pauses = [0.25, 0.5, 1, 2, 4, 5, 5, 5]
    assert clock.slept == pytest.approx([pause * 0.75 for pause in pauses])


@pytest.mark.parametrize(("number", "share"), [(0.0, 0.5), (0.5, 0.75), (0.999999, 1.0)])
def test_jitter(number: float, share: float) -> None:
    """Half of each delay is random, so that many waits do not poll at the same moments."""
    clock = ManualClock(random_number=number)
    wait(Play(clock, [*[STOPPING] * 7, STOPPED]), poll_interval=3)

    assert clock.slept == pytest.approx([share * each for each in (0.25, 0.5, 1, 2, 3, 3, 3)])


@given(st.integers(1, 100_000), st.floats(0.001, 1e6), st.floats(0, 1, exclude_max=True))
def test_delays_in_bounds(poll: int, interval: float, number: float) -> None:
    """No pause is longer than the interval, nor less than half of what it would be."""
    delay = poll_delay(poll, interval, lambda: number)
    assert min(0.25, interval) / 2 <= delay <= interval


def test_short_interval(clock: ManualClock) -> None:
    """An interval below a quarter of a second holds from the first pause."""
    wait(Play(clock, [STOPPING, STOPPING, STOPPED]), poll_interval=0.1)
    assert clock.slept == pytest.approx([0.075, 0.075])


def test_on_poll(clock: ManualClock) -> None:
    """The callback sees every session that is read, the last one too, and no failure."""
    states: list[str | None] = []
    play = Play(clock, [STOPPING, *[THROTTLED] * 3, STOPPING, seen("NEW_STATE"), STOPPED])

    wait(play, lambda session: states.append(session.state))
    assert states == ["STOP_IN_PROGRESS", "STOP_IN_PROGRESS", "NEW_STATE", "STOPPED"]


def test_on_poll_sees_the_end(clock: ManualClock) -> None:
    """The callback sees a session also when its state is an error."""
    states: list[str | None] = []
    with pytest.raises(StopFailedError):
        wait(
            Play(clock, [STOPPING, seen("STOP_FAILED")]),
            lambda session: states.append(session.state),
        )
    assert states == ["STOP_IN_PROGRESS", "STOP_FAILED"]


def test_on_poll_raises(clock: ManualClock) -> None:
    """What the callback raises ends the wait as it is."""

    def give_up(_: StreamingSession) -> None:
        raise KeyError("enough")

    play = Play(clock, [STOPPING, STOPPED])
    with pytest.raises(KeyError, match="enough"):
        wait(play, give_up)
    assert len(play.sends) == 1


@pytest.mark.parametrize(
    "failure",
    [
        THROTTLED,
        FAILED,
        refusal("ServiceUnavailable", 503),
        Response(502, {}, b"<html>"),
        ConnectionFailedError("no"),
        ConnectionLostError("no"),
        ReadTimeoutError("no"),
    ],
    ids=str,
)
def test_survives(failure: Outcome, clock: ManualClock) -> None:
    """Failures that can pass end a poll, after its attempts, and not the wait."""
    play = Play(clock, [STOPPING, *[failure] * 30, STOPPED])

    assert wait(play).state is State.STOPPED
    assert len(play.sends) == 32


def test_long_outage(clock: ManualClock) -> None:
    """An outage that uses the retry quota up is survived too, at one attempt a poll."""
    play = Play(clock, [*[ConnectionFailedError("no")] * 150, STOPPED])
    assert wait(play).state is State.STOPPED


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (refusal("AccessDeniedException", 403), AccessDeniedException),
        (refusal("ResourceNotFoundException", 404), ResourceNotFoundException),
        (refusal("ConflictException", 409), ConflictException),
        (Response(200, {}, b"<html>"), ResponseDecodeError),
        (TLSError("no"), TLSError),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_final_failures(failure: Outcome, kind: type[NimbleStopError], clock: ManualClock) -> None:
    """What does not pass ends the wait at once."""
    play = Play(clock, [STOPPING, failure])
    with pytest.raises(kind) as raised:
        wait(play)
    assert raised.value.operation == "GetStreamingSession"
    assert len(play.sends) == 2


def test_no_credentials(clock: ManualClock) -> None:
    """Without credentials the wait ends at once."""
    play = Play(clock, [], signing=[ConfigurationError("none")])
    with pytest.raises(ConfigurationError):
        wait(play)
    assert clock.slept == []


def test_stop_failed(clock: ManualClock) -> None:
    """A stop that failed raises at once, with the session, its status code and its message."""
    end = seen("STOP_FAILED", statusCode="NETWORK_CONNECTION_ERROR", statusMessage="no network")
    with pytest.raises(StopFailedError) as failure:
        wait(Play(clock, [STOPPING, end]))

    assert str(failure.value) == (
        "Session 'session-1' failed to stop: no network (status code NETWORK_CONNECTION_ERROR)"
    )
    session = failure.value.session
    assert session is not None
    assert session.status_code == "NETWORK_CONNECTION_ERROR"
    assert failure.value.retryable is False


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"statusCode": "INTERNAL_ERROR"}, "INTERNAL_ERROR"),
        ({"statusCode": "NEW_CODE", "statusMessage": ""}, "NEW_CODE"),
        ({}, "no reason given"),
    ],
)
def test_reason_of_a_failure(members: dict[str, object], reason: str, clock: ManualClock) -> None:
    """Without a message the status code is the reason."""
    with pytest.raises(StopFailedError, match=f": {reason}$"):
        wait(Play(clock, [seen("STOP_FAILED", **members)]))


@pytest.mark.parametrize(
    "state", ["DELETED", "DELETE_IN_PROGRESS", "CREATE_FAILED", "DELETE_FAILED", "START_FAILED"]
)
def test_dead_ends(state: str, clock: ManualClock) -> None:
    """A state that does not lead to STOPPED raises at once, with the session."""
    play = Play(clock, [STOPPING, seen(state)])
    with pytest.raises(
        UnexpectedStateError, match=f"is {state} and will not become STOPPED\\.$"
    ) as e:
        wait(play)

    session = e.value.session
    assert session is not None
    assert session.state == state
    assert len(play.sends) == 2


@pytest.mark.parametrize(
    "times",
    [
        {},
        {"startedAt": EARLY},
        {"startedAt": LATE, "stoppedAt": EARLY},
        {"startedAt": EARLY, "stoppedAt": EARLY},
    ],
    ids=str,
)
def test_ready_without_a_stop(times: dict[str, object], clock: ManualClock) -> None:
    """READY with no stop after the last start raises at once: nothing would ever happen."""
    with pytest.raises(UnexpectedStateError, match="no stop is under way") as failure:
        wait(Play(clock, [seen("READY", **times)]))
    assert failure.value.session is not None


@pytest.mark.parametrize(
    "times", [{"stoppedAt": LATE}, {"startedAt": EARLY, "stoppedAt": LATE}], ids=str
)
def test_ready_with_a_stop(times: dict[str, object], clock: ManualClock) -> None:
    """READY with a stop after the last start is a late read: the wait goes on."""
    assert wait(Play(clock, [seen("READY", **times), STOPPED])).state is State.STOPPED


@pytest.mark.parametrize("state", ["STOP_IN_PROGRESS", "START_IN_PROGRESS", "CREATE_IN_PROGRESS"])
def test_states_that_pass(state: str, clock: ManualClock) -> None:
    """States that pass are waited through, and so are states that come up later."""
    play = Play(clock, [seen(state), seen("HIBERNATING"), Response(200, {}, b'{"session": {}}')])
    play.outcomes.append(STOPPED)
    assert wait(play).state is State.STOPPED


@pytest.mark.parametrize("deadline", [0.001, 1, 7.5, 900])
def test_deadline(deadline: float, clock: ManualClock) -> None:
    """It ends at the deadline, neither before nor after, and carries the last session."""
    play = Play(clock, [STOPPING] * 1000)
    with pytest.raises(DeadlineExceededError, match=r"It was STOP_IN_PROGRESS when") as failure:
        wait(play, deadline=deadline)

    assert clock.monotonic == pytest.approx(1000 + deadline)
    assert str(failure.value).startswith(f"The deadline of {deadline:g} s is over")
    assert failure.value.session is not None
    assert failure.value.session.state is State.STOP_IN_PROGRESS
    assert failure.value.__cause__ is None
    assert all(later.total < earlier.total for earlier, later in pairwise(play.sends))


def test_deadline_in_an_outage(clock: ManualClock) -> None:
    """When the last poll failed, the deadline's error has the reason."""
    play = Play(clock, [STOPPING, *[ConnectionLostError("no")] * 1000])
    with pytest.raises(DeadlineExceededError) as failure:
        wait(play, deadline=60)

    assert clock.monotonic == pytest.approx(1060)
    assert failure.value.session is not None
    assert isinstance(failure.value.__cause__, NimbleStopError)


def test_deadline_before_the_first_answer(clock: ManualClock) -> None:
    """When nothing was ever read, the deadline's error says so."""
    play = Play(clock, [THROTTLED] * 100)
    with pytest.raises(DeadlineExceededError, match="It was never read") as failure:
        wait(play, deadline=3)

    assert failure.value.session is None
    cause = failure.value.__cause__
    assert isinstance(cause, ThrottlingException | DeadlineExceededError)


def test_deadline_in_a_slow_call(clock: ManualClock) -> None:
    """A poll has only the time that is left, and when that is over, the wait is over."""

    def slow() -> Response:
        clock.advance(play.sends[-1].total)
        raise ReadTimeoutError("no")

    play = Play(clock, [STOPPING, slow])
    with pytest.raises(DeadlineExceededError) as failure:
        wait(play, deadline=10)
    assert clock.monotonic == pytest.approx(1010)
    assert failure.value.session is not None


def test_long_retry_after(clock: ManualClock) -> None:
    """A service that asks for more patience than is left does not end the wait early."""
    busy = refusal("Busy", 503, retry_after="15")
    play = Play(clock, [busy, STOPPING, STOPPED])
    assert wait(play, deadline=14).state is State.STOPPED


@pytest.mark.parametrize(
    "arguments",
    [
        {"deadline": 0},
        {"deadline": float("nan")},
        {"poll_interval": 0},
        {"poll_interval": -1},
        {"poll_interval": "5"},
        {"session_id": ""},
        {"studio_id": "."},
    ],
    ids=str,
)
def test_refused(arguments: dict[str, Any]) -> None:
    """What makes no sense is refused before anything is sent."""
    given_: dict[str, Any] = {"studio_id": "studio-1", "session_id": "session-1", **arguments}
    with ScriptedServer() as server, make_client(server.url) as client:
        with pytest.raises(RequestValidationError):
            client.wait_until_stopped(**given_)
        assert server.connections == 0


def local_client(local: LocalNimble, clock: ManualClock) -> NimbleClient:
    """Make a client of an endpoint; they share the clock, so sleeping is no waiting."""
    return make_client(local.endpoint_url, clock, credentials=local.credentials)


def test_real_stop(clock: ManualClock) -> None:
    """A session of the endpoint that takes a minute is waited for that minute."""
    with (
        LocalNimble(transition_seconds=60, clock=lambda: clock.epoch) as local,
        local_client(local, clock) as client,
    ):
        local.add_session(studio_id="studio-1", session_id="session-1")
        client.stop_session("studio-1", "session-1")
        session = client.wait_until_stopped("studio-1", "session-1")

        assert session.state is State.STOPPED
        assert 60 <= sum(clock.slept) <= 65
        assert len(local.requests.matching(operation="GetStreamingSession")) == len(clock.slept) + 1


def test_real_failure(clock: ManualClock) -> None:
    """A stop that fails in the endpoint ends the wait with its status code."""
    with (
        LocalNimble(transition_seconds=1, clock=lambda: clock.epoch) as local,
        local_client(local, clock) as client,
    ):
        local.add_session(studio_id="studio-1", session_id="session-1")
        local.inject(StopFails("NETWORK_INTERFACE_ERROR", "cable"))
        client.stop_session("studio-1", "session-1")
        with pytest.raises(StopFailedError, match="cable") as failure:
            client.wait_until_stopped("studio-1", "session-1")
        assert failure.value.session is not None
        assert failure.value.session.status_code == "NETWORK_INTERFACE_ERROR"


def test_never_stopped(clock: ManualClock) -> None:
    """A session of the endpoint that nobody stopped is an error at the first poll."""
    with (
        LocalNimble(clock=lambda: clock.epoch) as local,
        local_client(local, clock) as client,
    ):
        local.add_session(studio_id="studio-1", session_id="session-1")
        with pytest.raises(UnexpectedStateError, match="READY"):
            client.wait_until_stopped("studio-1", "session-1")
        assert clock.slept == []


def test_last_failure_is_forgotten(clock: ManualClock) -> None:
    """A failure that has passed is not the cause of a later deadline."""
    play = Play(clock, [FAILED, FAILED, FAILED, *[STOPPING] * 100])
    with pytest.raises(DeadlineExceededError) as failure:
        wait(play, deadline=10)
    assert failure.value.__cause__ is None


# The sessions of a bulk run


@pytest.fixture
def studio(clock: ManualClock) -> Studio:
    """Give a studio in which every stop begins at once."""
    return Studio(clock)


def names(number: int) -> list[str]:
    """Give some session ids."""
    return [f"s{each}" for each in range(number)]


def run(
    studio: Studio,
    ids: list[str],
    perform: Callable[[Effect], object] | None = None,
    **options: Any,  # noqa: ANN401 - the options of a run
) -> dict[str, StopResult]:
    """Stop sessions, wait until they have stopped, and give the results by id."""
    runner = Runner(studio.plan(ids, wait=True, **options), perform or studio.perform)
    return {result.session_id: result for result in runner}


def answering_reads(
    studio: Studio, answer: Callable[[str], Response | BaseException | None]
) -> Callable[[Effect], object]:
    """Answer the requests that read, given their URL; None leaves it to the studio."""

    def perform(effect: Effect) -> object:
        if isinstance(effect, Send) and effect.request.method == "GET":
            outcome = answer(effect.request.url)
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is not None:
                return outcome
        return studio.perform(effect)

    return perform


def test_pages(studio: Studio) -> None:
    """Sessions are read by the page, not one by one."""
    run(studio, names(120), max_concurrency=120)

    assert {operation for operation, _ in studio.reads} == {"List"}
    assert sorted(len(ids) for _, ids in studio.reads)[-2:] == [50, 50]
    assert len(studio.reads) <= 10


def test_delays_grow(studio: Studio) -> None:
    """Polls repeat with growing delays until the last session has stopped."""
    studio.after_stop = "STOP_IN_PROGRESS"
    stops_at = studio.clock.monotonic + 100

    def perform(effect: Effect) -> object:
        if studio.clock.monotonic > stops_at:
            studio.after_stop = "STOPPED"
        return studio.perform(effect)

    plan = studio.plan(names(3), wait=True)
    runner = Runner(plan, perform, pick=lambda number: number - 1)
    assert [result.error for result in runner] == [None] * 3
    assert studio.clock.slept[:4] == pytest.approx([0.1875, 0.375, 0.75, 1.5])
    assert max(studio.clock.slept) == pytest.approx(3.75)


def test_ends(studio: Studio) -> None:
    """A session that will not stop has an error: failed, deleted, started again."""
    studio.states = {
        "s1": {"state": "STOP_FAILED", "statusMessage": "no network"},
        "s2": {"state": "DELETED"},
        "s3": {"state": "READY"},
        "s,4": {},
        "s,5": {"state": "STOP_FAILED"},
        "s6": {"state": "DELETE_IN_PROGRESS"},
    }
    results = run(studio, ["s0", *studio.states])

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
    assert {ids[0] for kind, ids in studio.reads if kind == "Get"} == {"s,4", "s,5", "s2"}
    for result in results.values():
        assert result.session is not None
        assert result.attempts == 1


def test_no_list_for_ids_with_commas(studio: Studio) -> None:
    """Ids that no list request can hold cost no list request."""
    assert run(studio, ["a,b"])["a,b"].error is None
    assert {operation for operation, _ in studio.reads} == {"Get"}


def test_listed_without_an_id(studio: Studio) -> None:
    """A session that is listed without its id is ignored."""
    page = {"sessions": [{"state": "READY"}, {"sessionId": "a", "state": "STOPPED"}]}
    perform = answering_reads(studio, lambda _: Response(200, {}, json.dumps(page).encode()))
    assert run(studio, ["a"], perform)["a"].error is None


def test_session_that_is_gone(studio: Studio) -> None:
    """A session that the service no longer knows has its error; the others are waited for."""
    studio.states["a"] = {"state": "DELETED"}
    perform = answering_reads(studio, lambda url: GONE if url.endswith("/a?") else None)
    results = run(studio, ["a", "b"], perform)

    assert isinstance(results["a"].error, ResourceNotFoundException)
    assert results["b"].error is None


def test_outage_in_a_run(studio: Studio) -> None:
    """A failure that can pass costs time only."""
    failures: list[Response | BaseException] = [FAILED, THROTTLED, *[ConnectionLostError("no")] * 9]
    results = run(
        studio, names(5), answering_reads(studio, lambda _: failures.pop(0) if failures else None)
    )

    assert {result.error for result in results.values()} == {None}
    assert failures == []


def test_outage_between_two_reads(studio: Studio) -> None:
    """What a poll had read before it failed is used."""
    lists: list[str] = []
    failures = [FAILED] * 3

    def answer(url: str) -> Response | None:
        if "sessionIds" in url:
            lists.append(url)
            # The first poll begins before the second stop has ended.
            studio.states["a"] = {"state": "STOP_IN_PROGRESS" if len(lists) == 1 else "STOPPED"}
            return None
        return failures.pop() if failures else None

    perform = answering_reads(studio, answer)
    runner = Runner(studio.plan(["a", "b,c"], wait=True, max_concurrency=2), perform)
    assert next(runner).session_id == "a"
    assert failures == []
    assert [result.session_id for result in runner] == ["b,c"]


@pytest.mark.parametrize("refused", [DENIED, UNREADABLE], ids=["denied", "unknown"])
def test_list_is_refused(refused: Response, studio: Studio) -> None:
    """Where the list is refused, each session is read alone."""
    perform = answering_reads(studio, lambda url: refused if "sessionIds" in url else None)
    results = run(studio, names(5), perform)

    assert {result.error for result in results.values()} == {None}
    assert {str(each.session.state) for each in results.values() if each.session} == {"STOPPED"}
    assert {operation for operation, _ in studio.reads} == {"Get"}


def test_permission_to_list_is_asked_for_once(studio: Studio) -> None:
    """A run that may not list does not try it again at every poll."""
    lists: list[str] = []
    studio.after_stop = "STOP_IN_PROGRESS"

    def answer(url: str) -> Response | None:
        if "sessionIds" not in url:
            studio.after_stop = "STOPPED" if len(studio.reads) > 5 else "STOP_IN_PROGRESS"
            return None
        lists.append(url)
        return DENIED

    assert run(studio, ["a"], answering_reads(studio, answer))["a"].error is None
    assert len(studio.reads) > 5
    assert len(lists) == 1


def test_reading_is_refused(studio: Studio) -> None:
    """Where reading is refused too, each result has the error and the stop's answer."""
    results = run(studio, names(5), answering_reads(studio, lambda _: DENIED))

    assert len(results) == 5
    for result in results.values():
        assert isinstance(result.error, AccessDeniedException)
        assert result.session is not None
        assert result.session.state is State.STOP_IN_PROGRESS


def test_deadline_of_a_run(studio: Studio) -> None:
    """A session that does not stop in time is a failure with the session as last read."""
    studio.states["b"] = {"state": "STOP_IN_PROGRESS", "ownedBy": "me"}
    started = studio.clock.monotonic
    results = run(studio, ["a", "b"], deadline=60)

    assert results["a"].error is None
    error = results["b"].error
    assert isinstance(error, DeadlineExceededError)
    assert results["b"].session is error.session
    assert error.session is not None
    assert error.session.owned_by == "me"
    assert 60 <= studio.clock.monotonic - started <= 66


@pytest.fixture
def local() -> Iterator[LocalNimble]:
    """Run an endpoint with sessions that take a moment to stop."""
    with LocalNimble(transition_seconds=0.05) as endpoint:
        for session_id in names(20):
            endpoint.add_session(studio_id="studio-1", session_id=session_id)
        yield endpoint


def test_caller_who_may_not_list(local: LocalNimble) -> None:
    """A caller without the permission to list waits all the same, at a real endpoint."""
    local.inject(ServiceFailure("AccessDeniedException"), operation="ListStreamingSessions")
    with make_client(local.endpoint_url, credentials=local.credentials) as client:
        results = list(client.stop_sessions("studio-1", names(20), wait=True))

    assert {result.error for result in results} == {None}
    assert {str(each.session.state) for each in results if each.session} == {"STOPPED"}
