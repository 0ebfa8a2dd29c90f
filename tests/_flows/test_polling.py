from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop import StopResult, StreamingSessionState as State
from nimble_stop._api.response import Response
from nimble_stop._call.steps import Send
from nimble_stop.exceptions import (
    AccessDeniedException,
    ConnectionLostError,
    DeadlineExceededError,
    ResourceNotFoundException,
    StopFailedError,
    UnexpectedStateError,
)
from nimble_stop.local import LocalNimble, ServiceFailure
from tests.support.clients import make_client
from tests.support.play import refusal
from tests.support.studio import Runner, Studio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nimble_stop._call.steps import Effect
    from tests.support.clock import ManualClock

THROTTLED = refusal("ThrottlingException", 429)
FAILED = refusal("InternalServerErrorException", 500)
DENIED = refusal("AccessDeniedException", 403)
UNREADABLE = refusal("TeapotException", 418)
GONE = refusal("ResourceNotFoundException", 404)


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


def test_outage(studio: Studio) -> None:
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


def test_deadline(studio: Studio) -> None:
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
