from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given, strategies as st

from nimble_stop._api.response import MAX_BODY_BYTES, read_answer
from nimble_stop.exceptions import ConnectionLostError

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
    response = read_answer(200, [("Content-Encoding", coding)], body)
    assert (response.body, response.truncated) == (TEXT, False)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_unreadable_codings(coding: str) -> None:
    """An unknown or broken coding leaves the bytes as they are."""
    response = read_answer(200, [("Content-Encoding", coding)], b"\x00\xff")
    assert (response.body, response.truncated) == (b"\x00\xff", False)


@pytest.mark.parametrize("layers", [1, 2])
def test_bombs(layers: int) -> None:
    """What swells is decoded up to the cap and no further."""
    bomb = gzip.compress(b"x" * 10 * MAX_BODY_BYTES)
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb)

    response = read_answer(200, [("content-encoding", "gzip")], bomb)

    assert len(response.body) <= MAX_BODY_BYTES
    assert response.truncated is (layers == 1)


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate"]))
def test_any_coded_bytes(data: bytes, coding: str) -> None:
    """Any bytes under a coding are decoded or left alone."""
    assert len(read_answer(200, [("content-encoding", coding)], data).body) <= MAX_BODY_BYTES
    assert read_answer(200, [("content-encoding", coding)], zlib.compress(data)).body == data


@pytest.mark.parametrize("size", [0, MAX_BODY_BYTES, MAX_BODY_BYTES + 1])
def test_cap(size: int) -> None:
    """A body of exactly the cap is whole; of a longer one the cap is kept."""
    response = read_answer(200, [], b"x" * size)
    assert len(response.body) == min(size, MAX_BODY_BYTES)
    assert response.truncated is (size > MAX_BODY_BYTES)


def test_headers() -> None:
    """Repeated fields are joined; of those that can hold one value only, the last counts."""
    fields = [
        ("X-A", "1"),
        ("x-a", "2"),
        ("Date", "a"),
        ("Date", "b"),
        ("RETRY-AFTER", "1"),
        ("Retry-After", "2"),
        ("x-amzn-ErrorType", "A"),
        ("x-amzn-errortype", "B"),
    ]
    assert read_answer(200, fields, b"").headers == {
        "x-a": "1, 2",
        "date": "b",
        "retry-after": "2",
        "x-amzn-errortype": "B",
    }


def test_interim_answer() -> None:
    """An interim answer with no other behind it is none."""
    with pytest.raises(ConnectionLostError, match="HTTP 101"):
        read_answer(101, [], b"")
