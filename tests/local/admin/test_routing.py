from __future__ import annotations

from typing import cast

import pytest

from nimble_stop.local.admin.replies import Problem
from nimble_stop.local.admin.routes import ROUTES
from nimble_stop.local.admin.routing import find_route


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
    routes = cast("list[str]", caught.value.details["routes"])
    assert "GET /_nimble-stop/sessions" in routes
    assert all("/sessions" in route for route in routes)


def test_a_path_that_is_like_none() -> None:
    """404 lists all routes then."""
    with pytest.raises(Problem) as caught:
        find_route(ROUTES, "GET", ("xyzzy",))
    assert len(cast("list[str]", caught.value.details["routes"])) == len(ROUTES)
