from __future__ import annotations

import gzip

import pytest

from nimble_stop._config.endpoint_url import parse_endpoint
from nimble_stop._transport.http import MAX_BODY_BYTES, AnswerError, ResponseReader
from nimble_stop._transport.messages import RequestWriter, read_answer, unanswered
from nimble_stop._transport.proxy import Proxy
from nimble_stop.exceptions import ConnectionLostError, ReadTimeoutError
from tests.support.scripted import answer

PROXY = Proxy("proxy.example", 3128, "Basic c2VjcmV0")


@pytest.mark.parametrize(
    ("url", "proxy", "expected"),
    [
        ("http://h:8080/base", None, b"POST /a HTTP/1.1\r\nHost: h\r\n\r\n{}"),
        ("https://h", PROXY, b"POST /a HTTP/1.1\r\nHost: h\r\n\r\n{}"),
        (
            "http://h:8080/base",
            PROXY,
            (
                b"POST http://h:8080/a HTTP/1.1\r\nHost: h\r\n"
                b"Proxy-Authorization: Basic c2VjcmV0\r\n\r\n{}"
            ),
        ),
    ],
    ids=["straight", "through a tunnel", "by an HTTP proxy"],
)
def test_write(url: str, proxy: Proxy | None, expected: bytes) -> None:
    """Only an HTTP proxy is asked for the whole URL, and told who asks."""
    writer = RequestWriter(parse_endpoint(url, "the test"), proxy)

    assert bytes(writer.write("POST", "/a", {"Host": "h"}, b"{}")) == expected


def test_written_request_shows_nothing() -> None:
    """A traceback with variables shows no byte of a request."""
    writer = RequestWriter(parse_endpoint("http://h", "the test"), None)

    assert "secret" not in repr(writer.write("POST", "/a", {"Authorization": "secret"}, b""))


@pytest.mark.parametrize(
    ("data", "body", "truncated"),
    [
        (answer(b"hi"), b"hi", False),
        (answer(gzip.compress(b"hi"), headers={"Content-Encoding": "gzip"}), b"hi", False),
        (answer(b" " * (MAX_BODY_BYTES + 1)), b" " * MAX_BODY_BYTES, True),
        (
            answer(
                gzip.compress(b" " * (MAX_BODY_BYTES + 1)), headers={"Content-Encoding": "gzip"}
            ),
            b" " * MAX_BODY_BYTES,
            True,
        ),
    ],
    ids=["plain", "coded", "too long", "a bomb"],
)
def test_read(data: bytes, body: bytes, *, truncated: bool) -> None:
    """An answer is taken over without its coding, and up to the cap."""
    reader = ResponseReader()
    reader.feed(data)
    response = read_answer(reader)

    assert (response.status, response.body, response.truncated) == (200, body, truncated)
    assert response.resent is False


def test_read_resent() -> None:
    """That a request went out twice is passed on."""
    reader = ResponseReader()
    reader.feed(answer(b"hi"))
    reader.resent = True

    assert read_answer(reader).resent is True


@pytest.mark.parametrize(
    ("error", "data", "kind", "text"),
    [
        (TimeoutError(), b"", ReadTimeoutError, "in time: nothing came back."),
        (TimeoutError(), b"H", ReadTimeoutError, "in time: the answer broke off."),
        (AnswerError("it is odd"), b"", ConnectionLostError, "cannot be read: it is odd."),
        (OSError("gone"), b"H", ConnectionLostError, "cannot be read: gone."),
    ],
    ids=repr,
)
def test_unanswered(
    error: Exception, data: bytes, kind: type[ConnectionLostError], text: str
) -> None:
    """Why there is no answer is told alike for both transports, by the endpoint's URL."""
    reader = ResponseReader()
    if data:
        reader.feed(data)
    failure = unanswered(parse_endpoint("http://h", "the test"), error, reader)

    assert type(failure) is kind
    assert "http://h" in str(failure)
    assert str(failure).endswith(text)
