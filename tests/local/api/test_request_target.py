from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from nimble_stop.local.api.answer import Refusal
from nimble_stop.local.api.operation_table import OPERATIONS
from nimble_stop.local.api.request_target import Route, parse_target, route, unknown_operation

BASE = b"/2020-08-01/studios/s/streaming-sessions"


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", BASE, "CreateStreamingSession"),
        ("GET", BASE + b"?ownedBy=x", "ListStreamingSessions"),
        ("GET", BASE + b"/x", "GetStreamingSession"),
        ("DELETE", BASE + b"/x", "DeleteStreamingSession"),
        ("POST", BASE + b"/x/stop", "StopStreamingSession"),
        ("POST", BASE + b"/x/start", "StartStreamingSession"),
    ],
)
def test_the_six_operations(method: str, path: bytes, operation: str) -> None:
    """Each operation is found under AWS's method and path, and there are no more names."""
    found = route(method, parse_target(path))
    assert found is not None
    assert found.operation == operation
    assert operation in OPERATIONS


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_id_is_one_segment(identifier: str) -> None:
    """An id is decoded exactly once, whatever characters it holds."""
    if identifier in {".", ".."}:
        identifier += "x"
    encoded = quote(identifier, safe="").encode()
    target = parse_target(b"/2020-08-01/studios/" + encoded + b"/streaming-sessions/" + encoded)
    assert route("GET", target) == Route("GetStreamingSession", identifier, identifier)


@pytest.mark.parametrize(
    "path",
    [
        BASE + b"//stop",
        BASE + b"/./x",
        BASE + b"/x/../stop",
        BASE + b"/%2e%2E/stop",
        BASE + b"/%2e",
        BASE + b"/.%2e",
        BASE + b"/x/",
        b"//2020-08-01/studios",
        b"/2020-08-01/studioshttp://somewhere/s/streaming-sessions/x",
        BASE + b"/%",
        BASE + b"/%zz",
        BASE + b"/%2",
        BASE + b"?ownedBy=%zz",
        BASE + b"/%ff",
        BASE + b"/x#y",
    ],
)
def test_ambiguous_targets_are_refused(path: bytes) -> None:
    """What somebody could read in another way is 400, and never another operation."""
    with pytest.raises(Refusal) as caught:
        parse_target(path)
    assert (caught.value.code, caught.value.status) == ("ValidationException", 400)


def test_encoded_dots_inside_a_segment_are_an_id() -> None:
    """An id may hold a slash, dots and even an escape."""
    found = route("GET", parse_target(BASE + b"/..%2Fx%252e"))
    assert found is not None
    assert found.session_id == "../x%2e"


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/",
        b"*",
        b"localhost:80",
        b"x" + BASE + b"/y",
        b"/2020-08-01",
        b"/2020-08-01/studios",
        b"/2020-08-01/studios/s",
        b"/2020-08-02/studios/s/streaming-sessions",
        b"/2020-08-01/studios/s/streaming-images",
        b"/2020-08-01/studios/s/streaming%2Dsessions",
        BASE + b"/x/pause",
        BASE + b"/x/stop/now",
    ],
)
def test_other_paths_have_no_operation(path: bytes) -> None:
    """A path that is not one of the six is 404 and lists what there is."""
    target = parse_target(path)
    assert route("GET", target) is None
    refusal = unknown_operation("GET", target)
    assert (refusal.code, refusal.status) == ("UnknownOperationException", 404)
    assert "StopStreamingSession" in refusal.message


def test_another_method_is_405() -> None:
    """A known path with another method says which methods there are."""
    target = parse_target(BASE + b"/x")
    assert route("PUT", target) is None
    refusal = unknown_operation("PUT", target)
    assert (refusal.status, refusal.headers) == (405, {"Allow": "DELETE, GET"})


def test_the_absolute_form() -> None:
    """A target with scheme and host, as proxies are sent, is the path in it."""
    target = parse_target(b"HTTP://somewhere:80" + BASE + b"?a=b")
    assert (target.path, target.query) == (BASE, b"a=b")


def test_only_the_beginning_of_a_target_names_a_host() -> None:
    """A URL inside a query, or behind a host, is part of what was sent and signed."""
    for beginning in (b"", b"http://somewhere"):
        target = parse_target(beginning + BASE + b"?ownedBy=http://me/x")
        assert (target.path, target.query) == (BASE, b"ownedBy=http://me/x")
