from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from nimble_stop._api.response import Response
from nimble_stop._call.steps import drive
from nimble_stop._flows.pages import Pages
from nimble_stop.exceptions import (
    AccessDeniedException,
    DeadlineExceededError,
    InternalServerErrorException,
    NimbleStopError,
    RequestValidationError,
    ResponseDecodeError,
)
from nimble_stop.local import LocalNimble, ServiceFailure
from tests.support.clients import make_client
from tests.support.play import Outcome, Play, refusal
from tests.support.scripted import ScriptedServer, answer, answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nimble_stop import NimbleClient
    from tests.support.clock import ManualClock


def page(*session_ids: str, next_token: str | None = None) -> dict[str, object]:
    """Write the body of a page."""
    body: dict[str, object] = {"sessions": [{"sessionId": each} for each in session_ids]}
    return body if next_token is None else {**body, "nextToken": next_token}


def respond(*session_ids: str, next_token: str | None = None) -> Response:
    """Write the answer that is a page."""
    return Response(200, {}, json.dumps(page(*session_ids, next_token=next_token)).encode())


def pages_of(
    play: Play,
    session_ids: Iterable[str] | None = None,
    deadline: float | None = None,
    **filters: str,
) -> Pages:
    """Begin a walk."""
    limit = play.engine.deadline(deadline)
    return Pages(play.engine, limit, {"studio_id": "studio-1", **filters}, session_ids)


def walk(play: Play, pages: Pages) -> list[str | None]:
    """Walk to the end."""
    ids: list[str | None] = []
    while not pages.exhausted:
        ids += [session.session_id for session in drive(pages.next_page(), play._perform)]
    return ids


def queries(play: Play, pages: Pages) -> list[dict[str, list[str]]]:
    """Walk to the end, and give the query of each request."""
    walk(play, pages)
    texts = [str(sign.request.query) for sign in play.signs]
    return [parse_qs(text, strict_parsing=True) if text else {} for text in texts]


def test_pages(clock: ManualClock) -> None:
    """All pages are read, one after the other, also past an empty one."""
    play = Play(
        clock,
        [respond("a", "b", next_token="1"), respond(next_token="2"), respond("c")],
    )
    assert walk(play, pages_of(play)) == ["a", "b", "c"]
    assert len(play.sends) == 3


def test_no_sessions(clock: ManualClock) -> None:
    """A studio without sessions is an empty list."""
    play = Play(clock, [respond()])
    assert walk(play, pages_of(play)) == []


def test_empty_token_ends(clock: ManualClock) -> None:
    """A page token that is empty or null is none."""
    bodies = [b'{"sessions": [], "nextToken": ""}', b'{"sessions": [], "nextToken": null}']
    for body in bodies:
        play = Play(clock, [Response(200, {}, body)])
        assert walk(play, pages_of(play)) == []


@pytest.mark.parametrize("tokens", ["aa", "aba", "abcb"])
def test_repeated_token(tokens: str, clock: ManualClock) -> None:
    """A page token that comes again is an error, not an endless loop."""
    play = Play(clock, [respond(token, next_token=token) for token in tokens])
    pages = pages_of(play)

    with pytest.raises(ResponseDecodeError, match=r"page token twice.*never end\.$"):
        walk(play, pages)
    assert len(play.sends) == len(tokens)


def test_request(clock: ManualClock) -> None:
    """Every page is asked for with the filters, and with the token of the one before."""
    play = Play(clock, [respond(next_token="a b&c+/="), respond()])
    pages = pages_of(play, owned_by="o w", created_by="c&d=", session_ids=["x", "y"])

    filters = {"ownedBy": ["o w"], "createdBy": ["c&d="], "sessionIds": ["x,y"]}
    assert queries(play, pages) == [filters, {**filters, "nextToken": ["a b&c+/="]}]


def test_ids_in_portions(clock: ManualClock) -> None:
    """Many ids are sent fifty at a time, each portion with pages of its own."""
    ids = [f"s{number}" for number in range(120)]
    # The same token may come in another portion: it is another list.
    play = Play(
        clock, [respond(next_token="1"), respond(), respond(next_token="1"), *[respond()] * 2]
    )
    asked = queries(play, pages_of(play, session_ids=iter(ids)))

    portions = [",".join(ids[:50]), ",".join(ids[50:100]), ",".join(ids[100:])]
    assert [query["sessionIds"][0] for query in asked] == [
        portions[0],
        portions[0],
        portions[1],
        portions[1],
        portions[2],
    ]
    assert [query.get("nextToken") for query in asked] == [None, ["1"], None, ["1"], None]


def test_ids_given_twice(clock: ManualClock) -> None:
    """An id that is given twice is asked for once, so that no session is listed twice."""
    ids = ["a", *[f"s{number}" for number in range(60)], "a"]
    play = Play(clock, [respond(), respond()])

    asked = queries(play, pages_of(play, session_ids=ids))
    assert ",".join(query["sessionIds"][0] for query in asked).split(",") == ids[:-1]


@pytest.mark.parametrize(
    "arguments",
    [
        {"studio_id": ""},
        {"studio_id": ".."},
        {"owned_by": 7},
        {"created_by": "\ud800"},
        {"session_ids": []},
        {"session_ids": "abc"},
        {"session_ids": ["a", "b,c"]},
        {"session_ids": ["a", ""]},
        {"session_ids": ["a", None]},
        {"session_ids": 7},
        {"deadline": 0},
        {"deadline": float("inf")},
        {"deadline": "7"},
    ],
)
def test_refused(arguments: dict[str, Any]) -> None:
    """What cannot be asked for is refused at the call, before the first session is taken."""
    with ScriptedServer() as server, make_client(server.url) as client:
        given: dict[str, Any] = {"studio_id": "studio-1", **arguments}
        with pytest.raises(RequestValidationError):
            client.list_sessions(**given)
        assert server.connections == 0


def test_errors_of_a_later_page(clock: ManualClock) -> None:
    """A page that is refused raises after the pages before it; each page has all its attempts."""
    failed = refusal("InternalServerErrorException", 500)
    denied = refusal("AccessDeniedException", 403)
    outcomes: list[Outcome] = [respond("a", next_token="1"), failed, respond("b", next_token="2")]
    play = Play(clock, [*outcomes, failed, failed, denied])
    pages = pages_of(play)
    seen = [session.session_id for session in drive(pages.next_page(), play._perform)]
    seen += [session.session_id for session in drive(pages.next_page(), play._perform)]
    with pytest.raises(AccessDeniedException) as failure:
        walk(play, pages)

    assert seen == ["a", "b"]
    assert failure.value.operation == "ListStreamingSessions"
    assert (failure.value.attempts, failure.value.client_token) == (3, None)
    assert failure.value.outcome_unknown is False


def test_deadline_counts_time_in_calls(clock: ManualClock) -> None:
    """The caller may take its time between pages; the calls themselves share one deadline."""

    def slow(response: Response, seconds: float) -> Callable[[], Response]:
        def respond_late() -> Response:
            clock.advance(seconds)
            return response

        return respond_late

    play = Play(
        clock,
        [
            slow(respond(next_token="1"), 4),
            slow(respond(next_token="2"), 4),
            slow(refusal("InternalServerErrorException", 500), 4),
        ],
    )
    pages = pages_of(play, deadline=10)
    clock.advance(1000)
    for remaining in (10, 6):
        drive(pages.next_page(), play._perform)
        assert play.sends[-1].total == pytest.approx(remaining)
        clock.advance(1000)
    with pytest.raises(DeadlineExceededError, match="deadline of 10 s") as failure:
        drive(pages.next_page(), play._perform)
    assert play.sends[-1].total == pytest.approx(2)
    assert isinstance(failure.value.__cause__, InternalServerErrorException)


def test_deadline_of_the_client(clock: ManualClock) -> None:
    """Without a deadline of its own a list has the client's."""
    play = Play(clock, [respond()], settings={"deadline": 33.0})
    walk(play, pages_of(play))
    assert play.sends[0].total == 33


def test_lazy() -> None:
    """Nothing is asked for before the first session is taken, and no page before it is needed."""
    answers = [answer(page("a", "b", next_token="1")), answer(page("c"))]
    with ScriptedServer(answering(*answers)) as server, make_client(server.url) as client:
        sessions = client.list_sessions("studio-1")
        assert len(server.requests) == 0

        assert [session.session_id for session in islice(sessions, 2)] == ["a", "b"]
        assert len(server.requests) == 1
        assert [session.session_id for session in sessions] == ["c"]
        assert list(sessions) == []
        tokens = [parse_qs(urlsplit(target).query).get("nextToken") for target in server.targets]
        assert tokens == [None, ["1"]]


def local_client(local: LocalNimble) -> NimbleClient:
    """Make a client of an endpoint."""
    return make_client(local.endpoint_url, credentials=local.credentials)


def test_whole_studio() -> None:
    """Against the endpoint all sessions come once, filtered as asked, and deleted ones never."""
    with LocalNimble() as local, local_client(local) as client:
        for number in range(250):
            local.add_session(
                studio_id="studio-1",
                session_id=f"session-{number}",
                state="DELETED" if number % 10 == 9 else "READY",
                owned_by=f"user-{number % 3}",
                created_by=f"admin-{number % 2}",
            )
        local.add_session(studio_id="studio-2", session_id="other")

        def listed(**filters: Any) -> set[int]:  # noqa: ANN401 - a list's own arguments
            ids = [str(each.session_id) for each in client.list_sessions("studio-1", **filters)]
            assert len(set(ids)) == len(ids)
            return {int(session_id.removeprefix("session-")) for session_id in ids}

        live = {number for number in range(250) if number % 10 != 9}
        assert listed() == live
        assert listed(owned_by="user-1") == {each for each in live if each % 3 == 1}
        assert listed(owned_by="user-1", created_by="admin-0") == {
            each for each in live if each % 6 == 4
        }
        asked = [f"session-{number}" for number in range(0, 250, 2)]
        assert listed(session_ids=asked) == {each for each in live if each % 2 == 0}
        assert listed(session_ids=["session-9", "nobody", "other"]) == set()


def test_faults_between_pages(clock: ManualClock) -> None:
    """Throttling in the middle of a list is not seen, and an unknown studio is an error."""
    with LocalNimble(clock=lambda: clock.epoch) as local:
        client = make_client(local.endpoint_url, clock, credentials=local.credentials)
        for number in range(250):
            local.add_session(studio_id="studio-1", session_id=f"session-{number}")
        local.inject(ServiceFailure("ThrottlingException"), skip=1, times=2)
        with client:
            assert len(list(client.list_sessions("studio-1"))) == 250
            assert len(local.requests) == 5
            with pytest.raises(NimbleStopError, match="Studio not found"):
                next(client.list_sessions("studio-7"))
