from __future__ import annotations

import gzip
import http.client
import io
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import attrs
import pytest
from hypothesis import given, strategies as st

from nimble_stop._transport.http import (
    MAX_BODY_BYTES,
    AnswerError,
    ResponseReader,
    decode_content,
    render_request,
)

if TYPE_CHECKING:
    import socket

OK = b"HTTP/1.1 200 OK\r\n"
CAP = 64


@attrs.frozen
class Outcome:
    """What a reader made of some bytes."""

    status: int = 0
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""
    truncated: bool = False
    reusable: bool = False
    error: str = ""


def feed(pieces: list[bytes], *, cap: int = MAX_BODY_BYTES, connect: bool = False) -> Outcome:
    """Feed pieces until the answer is complete; at the end comes the end of the connection."""
    reader = ResponseReader(cap, answers_connect=connect)
    try:
        for piece in [*pieces, b""]:
            reader.feed(piece)
            if reader.complete:
                break
    except AnswerError as error:
        return Outcome(error=str(error))
    assert reader.complete
    return Outcome(reader.status, reader.headers, reader.body, reader.truncated, reader.reusable)


def bytewise(data: bytes) -> list[bytes]:
    """Cut into single bytes."""
    return [data[index : index + 1] for index in range(len(data))]


# Name: bytes, status, body, whether the connection may be used again.
GOOD: dict[str, tuple[bytes, int, bytes, bool]] = {
    "length": (OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello", True),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
    "same length twice": (
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        200,
        b"hi",
        True,
    ),
    "blanks around a value": (OK + b"Content-Length: \t 2 \t\r\n\r\nhi", 200, b"hi", True),
    "no blank before a value": (OK + b"content-length:2\r\n\r\nhi", 200, b"hi", True),
    "close": (OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi", 200, b"hi", False),
    "Close": (OK + b"Content-Length: 2\r\nConnection: x, Close\r\n\r\nhi", 200, b"hi", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
    "until the end": (OK + b"\r\nhello", 200, b"hello", False),
    "until the end, empty": (OK + b"\r\n", 200, b"", False),
    "no reason": (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 404, b"", True),
    "empty reason": (b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", 404, b"", True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "304 with length": (b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", 304, b"", True),
    "100 first": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi",
        200,
        b"hi",
        True,
    ),
    "103 with headers, 100, 103": (
        b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\n\r\n"
        + OK
        + b"Content-Length: 2\r\n\r\nhi",
        200,
        b"hi",
        True,
    ),
    "chunks": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        200,
        b"hello world",
        True,
    ),
    "chunks with extensions and trailers": (
        OK + b"Transfer-Encoding: Chunked\r\n\r\nA;n=v\r\n0123456789\r\n0;x\r\nDate: x\r\n\r\n",
        200,
        b"0123456789",
        True,
    ),
    "no chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, b"", True),
    "a second answer behind": (
        OK + b"Content-Length: 2\r\n\r\nhi" + OK + b"Content-Length: 2\r\n\r\nho",
        200,
        b"hi",
        False,
    ),
    "a byte behind": (OK + b"Content-Length: 2\r\n\r\nhi!", 200, b"hi", False),
    "a byte behind chunks": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n!",
        200,
        b"",
        False,
    ),
}


@pytest.mark.parametrize(("data", "status", "body", "reusable"), GOOD.values(), ids=GOOD.keys())
def test_good(data: bytes, status: int, body: bytes, *, reusable: bool) -> None:
    """Every way to frame an answer is understood, and whether the connection holds more."""
    outcome = feed([data])

    assert outcome.error == ""
    assert (outcome.status, outcome.body, outcome.truncated) == (status, body, False)
    assert outcome.reusable is reusable


BAD: dict[str, bytes] = {
    "nothing": b"",
    "a cut head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "HTTP/2": b"HTTP/2 200 OK\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "our own request": b"POST /2020-08-01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a status of letters": b"HTTP/1.1 OK OK\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\n\r\n",
    "another protocol's turn": b"HTTP/1.1 101 Switching\r\n\r\n" + OK + b"\r\n",
    "only 100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "no colon": OK + b"Content-Length 5\r\n\r\nhello",
    "a blank before the colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "no name": OK + b": 5\r\n\r\nhello",
    "a folded line": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a bare LF in a value": OK + b"X: a\nContent-Length: 0\r\nContent-Length: 2\r\n\r\nhi",
    "a bare CR in a value": OK + b"X: a\rb\r\nContent-Length: 2\r\n\r\nhi",
    "a NUL in a value": OK + b"X: a\x00b\r\nContent-Length: 2\r\n\r\nhi",
    "bare LFs only": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "an umlaut in a name": OK + "Größe: 1\r\n\r\n".encode(),
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "lengths in a list": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "a negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "a length with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "a length in hex": OK + b"Content-Length: 0x5\r\n\r\nhello",
    "a length with a fraction": OK + b"Content-Length: 5.0\r\n\r\nhello",
    "a length of other digits": OK + b"Content-Length: \xb2\r\n\r\nhi",
    "an empty length": OK + b"Content-Length: \r\n\r\nhello",
    "a length of 5,000 digits": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nhello",
    "length and chunks": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n\r\nhello",
    "a body short of its length": OK + b"Content-Length: 6\r\n\r\nhello",
    "no body at all": OK + b"Content-Length: 6\r\n\r\n",
    "cut in a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "cut between chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "cut before the last line": OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
    "cut in a size": OK + b"Transfer-Encoding: chunked\r\n\r\n5",
    "a chunk longer than its size": OK
    + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
    "a size that is none": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "an empty size": OK + b"Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
    "a negative size": OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a size with a prefix": OK + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "a size of 17 digits": OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 17 + b"\r\n",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_bad(data: bytes) -> None:
    """Whatever is ambiguous, cut or no HTTP/1.1 is refused, however it is cut."""
    assert feed([data]).error
    assert feed(bytewise(data)).error


@pytest.mark.parametrize(
    "pieces",
    [
        [OK, *[b"X-Filler: " + b"x" * 1000 + b"\r\n"] * 100],
        [b"x" * 1000] * 100,
        [OK + b"Transfer-Encoding: chunked\r\n\r\n", *[b"0" * 1000] * 100],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n5;", *[b"x" * 1000] * 100],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", *[b"x" * 1000] * 100],
    ],
    ids=["headers", "status line", "chunk size", "chunk extension", "trailer"],
)
def test_endless_lines(pieces: list[bytes]) -> None:
    """Headers and lines that do not end are given up on, long before they fill the memory."""
    assert "long" in feed(pieces).error


def test_long_headers_in_one_piece() -> None:
    """Headers that are too long are refused also when they come at once."""
    data = OK + b"X: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n"

    assert "longer than" in feed([data]).error


def test_repeated_headers() -> None:
    """Repeated fields are joined; of those that may stand once only, the last counts."""
    data = (
        OK + b"X-A: 1\r\nx-a: 2\r\nDate: a\r\nDate: b\r\nRetry-After: 1\r\nRETRY-AFTER: 2\r\n"
        b"x-amzn-ErrorType: A\r\nx-amzn-errortype: B\r\nContent-Length: 0\r\n\r\n"
    )

    assert feed([data]).headers == {
        "x-a": "1, 2",
        "date": "b",
        "retry-after": "2",
        "x-amzn-errortype": "B",
        "content-length": "0",
    }


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
OVER: dict[str, bytes] = {
    "length": OK + b"Content-Length: 65\r\n\r\n" + b"x" * 65,
    "announced only": OK + b"Content-Length: 99999999999\r\n\r\n" + b"x" * 65,
    "until the end": OK + b"\r\n" + b"x" * 65,
    "chunks": CHUNKED + (b"5\r\nxxxxx\r\n" * 13) + b"0\r\n\r\n",
    "one chunk": CHUNKED + b"41\r\n" + b"x" * 65 + b"\r\n0\r\n\r\n",
    "an announced chunk": CHUNKED + b"FFFFFFFFFFFFFFFF\r\n" + b"x" * 100,
}


@pytest.mark.parametrize("data", OVER.values(), ids=OVER.keys())
def test_over_the_cap(data: bytes) -> None:
    """A body beyond the cap ends there, and its connection is not used again."""
    outcome = feed([data], cap=CAP)

    assert (outcome.body, outcome.truncated, outcome.reusable) == (b"x" * CAP, True, False)


UP_TO: dict[str, bytes] = {
    "length": OK + b"Content-Length: 64\r\n\r\n" + b"x" * 64,
    "until the end": OK + b"\r\n" + b"x" * 64,
    "chunks": CHUNKED + b"20\r\n" + b"x" * 32 + b"\r\n20\r\n" + b"x" * 32 + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("data", UP_TO.values(), ids=UP_TO.keys())
def test_up_to_the_cap(data: bytes) -> None:
    """A body of exactly the cap is whole."""
    outcome = feed([data], cap=CAP)

    assert (outcome.body, outcome.truncated) == (b"x" * CAP, False)


def test_memory_stays_below_the_cap() -> None:
    """An endless body is never held beyond the cap, whatever comes at once."""
    reader = ResponseReader(CAP)
    reader.feed(OK + b"\r\n")
    while not reader.complete:
        reader.feed(b"x" * 10)

    assert len(reader.body) == CAP


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (b"HTTP/1.1 200 Connection established\r\n\r\n", 200, b""),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", 200, b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, b""),
        (b"HTTP/1.1 407 Who?\r\nContent-Length: 2\r\n\r\nno", 407, b"no"),
        (b"HTTP/1.1 502 Bad\r\n\r\nno", 502, b"no"),
    ],
)
def test_answers_to_connect(data: bytes, status: int, body: bytes) -> None:
    """A tunnel begins right behind the head of a success; a refusal has a body."""
    outcome = feed([data], connect=True)

    assert (outcome.status, outcome.body) == (status, body)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut at the given places."""
    edges = [0, *sorted({place % (len(data) + 1) for place in places} - {0}), len(data)]
    return [piece for start, end in pairwise(edges) if (piece := data[start:end])]


ALL = [data for data, *_ in GOOD.values()] + list(BAD.values()) + list(OVER.values())


@given(st.sampled_from(ALL), st.lists(st.integers(0, 10_000), max_size=20))
def test_cuts_do_not_count(data: bytes, places: list[int]) -> None:
    """The same bytes give the same answer however they are cut, but for what lies behind it."""
    whole, pieces = feed([data], cap=CAP), feed(cut(data, places), cap=CAP)

    # Bytes behind the answer are seen only when they come with it; the pool looks for the rest.
    assert attrs.evolve(pieces, reusable=whole.reusable) == whole


@given(
    st.binary(max_size=200)
    | st.builds(OK.__add__, st.binary(max_size=100))
    | st.builds(CHUNKED.__add__, st.text("0123af;\r\n", max_size=60).map(str.encode)),
    st.lists(st.integers(0, 300), max_size=10),
)
def test_any_bytes(data: bytes, places: list[int]) -> None:
    """Any bytes are an answer or an AnswerError, the same however they are cut."""
    whole, pieces = feed([data], cap=CAP), feed(cut(data, places), cap=CAP)

    assert bool(whole.error) == bool(pieces.error)
    if not whole.error:
        assert attrs.evolve(pieces, reusable=whole.reusable) == whole


class Canned:
    """What http.client takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> io.BytesIO:
        """Give the bytes as a file."""
        return io.BytesIO(self._data)


BODIES = st.binary(max_size=CAP)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=10)
NAMES = st.sampled_from(["Date", "X-Amzn-RequestId", "Content-Type", "X-Amzn-ErrorType"])


@st.composite
def well_formed(draw: st.DrawFn) -> bytes:
    """Write a well-formed answer."""
    body = draw(BODIES)
    fields = dict(draw(st.dictionaries(NAMES, VALUES)))
    framing = draw(st.sampled_from(["length", "chunked", "end"]))
    if framing == "length":
        fields["Content-Length"] = str(len(body))
    elif framing == "chunked":
        fields["Transfer-Encoding"] = "chunked"
        size = draw(st.integers(1, 20))
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    status = draw(st.sampled_from([200, 201, 400, 404, 429, 500, 503]))
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return interim + f"HTTP/1.1 {status} Reason\r\n{head}\r\n".encode() + body


@given(well_formed(), st.lists(st.integers(0, 10_000), max_size=10))
def test_agrees_with_http_client(data: bytes, places: list[int]) -> None:
    """A well-formed answer is read as http.client reads it."""
    theirs = http.client.HTTPResponse(cast("socket.socket", Canned(data)))
    theirs.begin()

    ours = feed(cut(data, places))

    assert ours.error == ""
    assert ours.status == theirs.status
    assert ours.body == theirs.read()
    assert ours.headers == {name.lower(): value for name, value in theirs.getheaders()}


def test_request() -> None:
    """A request is rendered in one piece, with a line for each header, and its body."""
    rendered = render_request("POST", "/a%20b?c=d", [("Host", "h"), ("X", "1")], b"\x00{}")

    assert rendered == b"POST /a%20b?c=d HTTP/1.1\r\nHost: h\r\nX: 1\r\n\r\n\x00{}"


TEXT = b'{"session": {}}'
CODED: dict[str, tuple[str, bytes]] = {
    "none": ("", TEXT),
    "identity": ("identity", TEXT),
    "gzip": ("gzip", gzip.compress(TEXT)),
    "GZip": (" GZip ", gzip.compress(TEXT)),
    "x-gzip": ("x-gzip", gzip.compress(TEXT)),
    "deflate": ("deflate", zlib.compress(TEXT)),
}


@pytest.mark.parametrize(("coding", "body"), CODED.values(), ids=CODED.keys())
def test_codings(coding: str, body: bytes) -> None:
    """A content coding that nobody asked for is undone."""
    assert decode_content({"content-encoding": coding}, body) == (TEXT, False)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_unreadable_codings(coding: str) -> None:
    """An unknown or broken coding leaves the bytes as they are."""
    assert decode_content({"content-encoding": coding}, b"\x00\xff") == (b"\x00\xff", False)


@pytest.mark.parametrize("layers", [1, 2])
def test_bombs(layers: int) -> None:
    """What swells is decoded up to the cap and no further."""
    bomb = gzip.compress(b"x" * 10 * MAX_BODY_BYTES)
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb)

    body, cut_off = decode_content({"content-encoding": "gzip"}, bomb)

    assert len(body) <= MAX_BODY_BYTES
    assert cut_off is (layers == 1)


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate"]), st.integers(1, 50))
def test_any_coded_bytes(data: bytes, coding: str, cap: int) -> None:
    """Any bytes under a coding are decoded or left alone, and never exceed the cap."""
    body, _ = decode_content({"content-encoding": coding}, data, cap)
    assert body == data or len(body) <= cap

    body, cut_off = decode_content({"content-encoding": coding}, zlib.compress(data), cap)
    assert data.startswith(body)
    assert len(body) <= cap
    assert cut_off or body == data
