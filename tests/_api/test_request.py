from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given, strategies as st

from nimble_stop._api.operations import (
    GET_STREAMING_SESSION,
    LIST_STREAMING_SESSIONS,
    STOP_STREAMING_SESSION,
    Operation,
    Page,
)
from nimble_stop._api.request import build_request
from nimble_stop._api.response import Response, parse_response
from nimble_stop.exceptions import (
    NimbleStopError,
    RequestValidationError,
    ResponseDecodeError,
    ServiceError,
)
from nimble_stop.models import StreamingSession, VolumeRetentionMode
from tests.support.strategies import JSON
from tests.support.vectors import VECTORS, Vector

if TYPE_CHECKING:
    from nimble_stop._api.request import Request

OPERATIONS: dict[str, Operation[Any]] = {
    operation.name: operation
    for operation in (STOP_STREAMING_SESSION, GET_STREAMING_SESSION, LIST_STREAMING_SESSIONS)
}


def build(vector: Vector) -> Request[Any]:
    """Build the request that botocore built."""
    return build_request(
        OPERATIONS[vector.operation], vector.arguments, client_token=vector.client_token
    )


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_botocore_builds_the_same(vector: Vector) -> None:
    """Path, body and headers are those of botocore, for every awkward id."""
    request = build(vector)

    assert request.operation.method == vector.method
    assert vector.endpoint + request.path == vector.url
    assert request.query == ""
    assert request.body == vector.body
    assert {name.lower(): value for name, value in request.headers.items()} == {
        name: value
        for name, value in vector.headers.items()
        if name in {"content-type", "x-amz-client-token"}
    }


IDS = st.text(min_size=1).filter(lambda text: text not in {".", ".."} and encodes(text))


def encodes(text: str) -> bool:
    """Say whether UTF-8 can encode a text."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


@given(IDS, IDS)
@example("a/b", "../../x")
@example("{session_id}", "{studio_id}")
@example("%2e%2e", "\r\n\x00")
def test_ids_are_one_segment_each(studio_id: str, session_id: str) -> None:
    """Whatever the ids hold, the path has seven segments, and the ids come back out of two."""
    request = build_request(
        STOP_STREAMING_SESSION,
        {"studio_id": studio_id, "session_id": session_id},
        client_token="token-1",
    )

    empty, version, studios, studio, sessions, session, stop = request.path.split("/")
    assert (empty, version, studios, sessions, stop) == (
        "",
        "2020-08-01",
        "studios",
        "streaming-sessions",
        "stop",
    )
    assert unquote_to_bytes(studio).decode() == studio_id
    assert unquote_to_bytes(session).decode() == session_id
    assert request.path.isascii()
    assert not set(request.path) & set(" ?#\\\r\n\0")


@pytest.mark.parametrize("retention", [None, "RETAIN", VolumeRetentionMode.DELETE])
def test_body(retention: str | None) -> None:
    """The body is the retention mode, or two bytes: never empty, never null."""
    request = build_request(
        STOP_STREAMING_SESSION,
        {"studio_id": "a", "session_id": "b", "retention": retention},
        client_token="token-1",
    )

    expected = b"{}" if retention is None else b'{"volumeRetentionMode": "%b"}' % retention.encode()
    assert request.body == expected
    assert request.headers["Content-Type"] == "application/json"


def test_get_has_no_body() -> None:
    """Reading a session sends neither body nor content type nor token."""
    request = build_request(GET_STREAMING_SESSION, {"studio_id": "a", "session_id": "b"})

    assert (request.body, dict(request.headers), request.client_token) == (b"", {}, None)
    assert request.path == "/2020-08-01/studios/a/streaming-sessions/b"


def test_query() -> None:
    """Filters go into the query by their names there, encoded and sorted; a space is %20."""
    request = build_request(
        LIST_STREAMING_SESSIONS,
        {
            "studio_id": "a",
            "session_ids": "b,c d",
            "owned_by": "ü&=+",
            "created_by": None,
            "next_token": "",
        },
    )

    assert request.path == "/2020-08-01/studios/a/streaming-sessions"
    assert request.query == "nextToken=&ownedBy=%C3%BC%26%3D%2B&sessionIds=b%2Cc%20d"


@pytest.mark.parametrize("value", ["", ".", "..", "\udc00", None])
@pytest.mark.parametrize("name", ["studio_id", "session_id"])
def test_unsendable_ids(name: str, value: str | None) -> None:
    """An id that no path can carry is refused by its name."""
    arguments: dict[str, str | None] = {"studio_id": "a", "session_id": "b", name: value}

    with pytest.raises(RequestValidationError, match=f"^{name} must be"):
        build_request(GET_STREAMING_SESSION, arguments)


def test_unsendable_filter() -> None:
    """A filter that UTF-8 cannot encode is refused by its name."""
    with pytest.raises(RequestValidationError, match=r"^owned_by must be"):
        build_request(LIST_STREAMING_SESSIONS, {"studio_id": "a", "owned_by": "\ud800"})


def ok(body: bytes, status: int = 200, **headers: str) -> Response:
    """Make an answer; underscores in a header's name become hyphens."""
    return Response(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, body
    )


def test_session() -> None:
    """A success is a session."""
    response = ok(b'{"session": {"sessionId": "b", "state": "STOP_IN_PROGRESS"}, "new": 1}')

    session = parse_response(STOP_STREAMING_SESSION, response)

    assert session.session_id == "b"
    assert session.state == "STOP_IN_PROGRESS"


def test_page() -> None:
    """A list is a page of sessions and the token of the next one, if there is one."""
    full = ok(b'{"sessions": [{"sessionId": "b"}, {}], "nextToken": "t"}')
    last = ok(b'{"sessions": []}')
    null = ok(b'{"sessions": [], "nextToken": null}')
    empty = ok(b'{"sessions": [], "nextToken": ""}')

    assert parse_response(LIST_STREAMING_SESSIONS, full) == Page(
        (StreamingSession(session_id="b"), StreamingSession()), "t"
    )
    for response in (last, null, empty):
        assert parse_response(LIST_STREAMING_SESSIONS, response) == Page((), None)


MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n",
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a string": b'"session"',
    "a list": b"[]",
    "a list with a session": b'[{"session": {}}]',
    "an empty object": b"{}",
    "no session": b'{"Session": {"sessionId": "b"}}',
    "a null session": b'{"session": null}',
    "a session that is a list": b'{"session": []}',
    "a session that is a string": b'{"session": "b"}',
    "a wrong member": b'{"session": {"sessionId": 1}}',
    "a wrong time": b'{"session": {"stoppedAt": "yesterday"}}',
    "cut": b'{"session": {"sessionId": "b"',
    "cut in a character": '{"session": {"sessionId": "ä"}}'.encode()[:-4],
    "two objects": b'{"session": {}}{"session": {}}',
    "text behind it": b'{"session": {}} ok',
    "latin-1": '{"session": {"sessionId": "ä"}}'.encode("latin-1"),
    "utf-16": '{"session": {}}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"session": {}}',
    "nul bytes": b"\x00\x00\x00",
    "100,000 lists": b"[" * 100_000,
    "100,000 objects": b'{"session":' * 100_000,
    "100,000 levels, closed": b'{"session":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "NaN": b'{"session": {"maxBackupsToRetain": NaN}}',
    "NaN in an unknown member": b'{"session": {"new": NaN}}',
    "Infinity": b'{"session": {"maxBackupsToRetain": Infinity}}',
    "-Infinity": b'{"session": {"stoppedAt": -Infinity}}',
    "a number beyond floats": b'{"session": {"stoppedAt": 1e999}}',
    "a huge number": b'{"session": {"stoppedAt": ' + b"9" * 4000 + b"}}",
    "a number of 5,000 digits": b'{"session": {"maxBackupsToRetain": ' + b"9" * 5000 + b"}}",
    "single quotes": b"{'session': {}}",
    "a comment": b'{"session": {}} // ok',
    "a trailing comma": b'{"session": {},}',
    "HTML": b"<!DOCTYPE html><html><body>Sign in to the hotel's network</body></html>",
    "XML": b'<?xml version="1.0"?><session/>',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_success(body: bytes) -> None:
    """A success that holds no session is an error that carries the answer."""
    with pytest.raises(ResponseDecodeError) as failure:
        parse_response(STOP_STREAMING_SESSION, ok(body, x_amzn_requestid="request-1"))

    error = failure.value
    assert (error.http_status, error.request_id, error.body) == (200, "request-1", body)
    assert "StopStreamingSession" in str(error)
    assert len(str(error)) < 10_000


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_error(body: bytes) -> None:
    """An error answer whose body cannot be read is known by its header and its status."""
    with pytest.raises(ServiceError) as failure:
        parse_response(
            STOP_STREAMING_SESSION, ok(body, 409, x_amzn_errortype="ConflictException:http://x/")
        )

    assert failure.value.code == "ConflictException"
    assert failure.value.http_status == 409


def test_wrong_time_is_named() -> None:
    """A bad time is named by its member."""
    with pytest.raises(ResponseDecodeError, match=r"session\.stoppedAt: 'x' is not"):
        parse_response(STOP_STREAMING_SESSION, ok(b'{"session": {"stoppedAt": "x"}}'))


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"sessions": {}}', b'{"sessions": [1]}', b'{"sessions": [], "nextToken": 1}'],
)
def test_malformed_page(body: bytes) -> None:
    """A page without its list, or with a token that is none, cannot be understood."""
    with pytest.raises(ResponseDecodeError):
        parse_response(LIST_STREAMING_SESSIONS, ok(body))


def test_truncated() -> None:
    """An answer beyond the cap is never a success, even if what is there can be read."""
    response = Response(200, {}, b'{"session": {}}', truncated=True)

    with pytest.raises(ResponseDecodeError, match="too long"):
        parse_response(STOP_STREAMING_SESSION, response)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 400, 404, 500, 503, 599])
def test_other_statuses(status: int) -> None:
    """Only a 2xx is a success, whatever the body says; a redirect is an error too."""
    response = ok(b'{"session": {}}', status, location="http://elsewhere.example/")

    with pytest.raises(ServiceError) as failure:
        parse_response(STOP_STREAMING_SESSION, response)

    assert failure.value.http_status == status
    assert failure.value.code == str(status)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-amzn-requestid": "a", "x-amz-request-id": "b"}, "a"),
        ({"x-amz-request-id": "b"}, "b"),
        ({"x-amzn-requestid": "", "x-amz-request-id": "b"}, "b"),
        ({}, None),
    ],
)
def test_request_id(headers: dict[str, str], expected: str | None) -> None:
    """The request id is found under both of its names."""
    assert Response(200, headers, b"").request_id == expected


HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "x-amzn-errortype",
            "x-amzn-requestid",
            "x-amz-retry-after",
            "retry-after",
            "date",
            "content-type",
        ]
    ),
    st.text(st.characters(codec="latin-1")) | st.integers().map(str),
)
BODIES = st.one_of(
    st.binary(),
    JSON.map(json.dumps).map(str.encode),
    st.dictionaries(
        st.sampled_from(
            ["session", "sessions", "message", "Message", "code", "__type", "context", "nextToken"]
        ),
        JSON,
    )
    .map(json.dumps)
    .map(str.encode),
)


@given(
    operation=st.sampled_from(list(OPERATIONS.values())),
    status=st.integers(200, 599),
    headers=HEADERS,
    body=BODIES,
)
def test_any_answer(
    operation: Operation[Any], status: int, headers: dict[str, str], body: bytes
) -> None:
    """Whatever the service answers, the caller gets the model or one of our exceptions."""
    try:
        result = parse_response(operation, Response(status, headers, body))
    except NimbleStopError as error:
        texts = [str(error), repr(error)]
    else:
        texts = [repr(result)]
        assert isinstance(result, StreamingSession | Page)
        assert status < 300
    assert all(texts)
