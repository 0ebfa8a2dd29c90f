from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local.admin.replies import Problem
from nimble_stop.local.admin.routes import ROUTES
from nimble_stop.local.admin.routing import check_members, find_route, read_arguments, read_objects

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_variables_take_one_segment_each() -> None:
    """Whatever an id holds, it is one value."""
    route, values = find_route(ROUTES, "GET", ("sessions", "a/b", "complete"))
    assert route.name == "getSession"
    assert values == {"studioId": "a/b", "sessionId": "complete"}


def test_head_is_get() -> None:
    """HEAD goes where GET goes."""
    assert find_route(ROUTES, "HEAD", ("health",)) == find_route(ROUTES, "GET", ("health",))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("sessions", "GET, HEAD, POST"), ("login", "DELETE, POST"), ("clock", "GET, HEAD, POST")],
)
def test_another_method(path: str, allowed: str) -> None:
    """405 has the methods that there are."""
    with pytest.raises(Problem) as caught:
        find_route(ROUTES, "PATCH", (path,))
    assert caught.value.status == 405
    assert caught.value.headers == {"Allow": allowed}
    assert allowed in caught.value.message


@pytest.mark.parametrize("segments", [("session",), ("sessions", "a"), ("sesions", "a", "b")])
def test_a_path_that_is_nearly_right(segments: tuple[str, ...]) -> None:
    """404 lists the routes that were probably meant, and no others."""
    with pytest.raises(Problem) as caught:
        find_route(ROUTES, "GET", segments)
    assert caught.value.status == 404
    routes = caught.value.routes
    assert "GET /_nimble-stop/sessions" in routes
    assert all("/sessions" in route for route in routes)


def test_a_path_that_is_like_none() -> None:
    """404 lists all routes then."""
    with pytest.raises(Problem) as caught:
        find_route(ROUTES, "GET", ("xyzzy",))
    assert len(caught.value.routes) == len(ROUTES)


def read(
    method: str = "POST",
    path: str = "clock",
    *,
    query: bytes = b"",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Read a request for a route."""
    route, values = find_route(ROUTES, method, path.split("/"))
    if headers is None:
        headers = {"Content-Type": "application/json"} if body else {}
    return read_arguments(route, values, query=query, headers=headers, body=body)


def test_what_a_request_carries() -> None:
    """Values of the path, the query and the body arrive checked, numbers as numbers."""
    arguments = read("GET", "requests", query=b"after=7&sessionId=a%2Fb+c")
    assert arguments == {"after": 7, "session_id": "a/b c"}
    assert read("GET", "sessions/s/x") == {"studio_id": "s", "session_id": "x"}
    assert read(body=b'{"advance": 1}') == {"body": {"advance": 1}}


def test_a_declared_header() -> None:
    """A header that a route declares is one of its parameters."""
    assert read("GET", "events", headers={"Last-Event-ID": "7"}) == {"last_event_id": 7}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (b"sesionId=x", "'sesionId' here; did you mean 'sessionId'\\? Allowed: operation"),
        (b"xyz", "'xyz' here. Allowed: operation"),
        (b"after=1&after=2", "'after' is given twice"),
        (b"after=-1", "after must be a whole number, 0 or more, not '-1'"),
        (b"limit=0", "limit must be a whole number, 1 or more, not '0'"),
        (b"after=%C2%B2", "after must be"),
        (b"after=" + b"9" * 5000, "after must be"),
    ],
)
def test_a_wrong_parameter(query: bytes, message: str) -> None:
    """An unknown parameter is named, with a suggestion; a value must be one that is allowed."""
    with pytest.raises(Problem, match=message) as caught:
        read("GET", "requests", query=query)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON; Charset=UTF-8", 'application/json;charset="utf-8"'],
)
def test_json(media_type: str) -> None:
    """The media type may have its parameter."""
    assert read(body=b"{}", headers={"Content-Type": media_type}) == {"body": {}}


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
        "text/plain; application/json",
    ],
)
def test_what_a_form_can_send(media_type: str) -> None:
    """A page of another site can send these without asking; none of them is taken."""
    with pytest.raises(Problem, match="Content-Type: application/json") as caught:
        read(body=b"{}", headers={"Content-Type": media_type})
    assert caught.value.status == 415


def test_an_empty_form() -> None:
    """A form without a field is refused where no body is needed, too."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with pytest.raises(Problem, match="form-urlencoded"):
        read("POST", "sessions/s/x/complete", headers=headers)


def test_an_encoded_body() -> None:
    """Nothing is unpacked."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with pytest.raises(Problem, match="encoded") as caught:
        read(body=b"\x1f\x8b", headers=headers)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b'{"advance": NaN}', b'{"advance": "\\ud800"}', b"[" * 100_000, b"{}{}"],
)
def test_what_is_not_json(body: bytes) -> None:
    """Whatever a body holds, it is refused with a message."""
    with pytest.raises(Problem, match="not JSON in UTF-8") as caught:
        read(body=body)
    assert caught.value.status == 400


def test_no_body_where_one_is_needed() -> None:
    """The message says that it is missing."""
    with pytest.raises(Problem, match="there is none"):
        read()


@pytest.mark.parametrize("body", [b"", b"{}", b" {} "])
def test_no_body_where_none_is_needed(body: bytes) -> None:
    """An empty object stands for no body: some clients cannot send a POST without one."""
    assert "body" not in read("POST", "sessions/s/x/complete", body=body)


def test_a_body_where_none_is_taken() -> None:
    """What would be ignored is refused."""
    with pytest.raises(Problem, match="takes no body"):
        read("DELETE", "sessions/s/x", body=b'{"force": true}')


def test_one_object_or_a_list() -> None:
    """Both are read as a list."""
    assert read_objects({"a": 1}) == [{"a": 1}]
    assert read_objects([{"a": 1}]) == [{"a": 1}]
    wrong_ones: list[object] = [None, 1, ["x"], [[]]]
    for wrong in wrong_ones:
        with pytest.raises(Problem, match="object or a list"):
            read_objects(wrong)


def test_members() -> None:
    """An unknown member is named, with a suggestion; what is no object has none."""
    assert check_members({"state": 1}, ("state",)) == {"state": 1}
    with pytest.raises(Problem, match=r"'stat'; did you mean 'state'\? Allowed: state, tags\."):
        check_members({"stat": 1}, ("state", "tags"))
    with pytest.raises(Problem, match="must be a JSON object"):
        check_members([], ("state",))
