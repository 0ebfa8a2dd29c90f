"""HTTP/1.1 as far as the client speaks it: one request out, one bounded answer in. No sockets.

`ResponseReader` is fed bytes as they arrive. It is strict where leniency would let one answer's
bytes pass for another's (RFC 9112, section 6.3), and it never holds more than the cap.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A session is about 2 KiB; a page of 100 of them, with all their tags, stays far below this.
MAX_BODY_BYTES: Final = 1024 * 1024
_MAX_HEAD_BYTES: Final = 64 * 1024
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [^\r\n\0]*)?")
_FIELD_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE: Final = re.compile(rb"[^\r\n\0]*")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?")
_CRLF: Final = b"\r\n"
# Joining two of these would make nonsense; the last one counts, equal lengths are one.
_SINGLE: Final = frozenset({"content-length", "date", "retry-after", "x-amzn-errortype"})
_SUCCESS: Final = range(200, 300)
_NO_BODY: Final = frozenset({204, 304})


class AnswerError(ValueError):
    """The bytes are not an answer to our request."""


class ResponseReader:
    """Reads one answer from bytes as they come.

    After `complete` is True, `status`, `headers` and `body` hold the answer; `truncated` tells
    whether the body went on beyond the cap, and `reusable` whether the connection holds nothing
    else and stays open. `resent` is for whoever feeds it to tell that the request went out twice.

    Args:
        max_body_bytes: The cap.
        answers_connect: Whether a success has no body, because what follows is the tunnel.
    """

    def __init__(
        self, max_body_bytes: int = MAX_BODY_BYTES, *, answers_connect: bool = False
    ) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = False
        self.truncated = False
        self.started = False
        self.resent = False
        self._max_body_bytes = max_body_bytes
        self._answers_connect = answers_connect
        self._buffer = bytearray()
        self._body = bytearray()
        self._persistent = False
        self._missing: int | None = None
        self._chunked = False
        self._in_trailers = False

    @property
    def body(self) -> bytes:
        """The body's bytes, as they were sent."""
        return bytes(self._body)

    @property
    def reusable(self) -> bool:
        """Whether the next request may use the same connection."""
        return self.complete and self._persistent and not self._buffer and not self.truncated

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived; none at all mean that the peer closed the connection.

        Raises:
            AnswerError: The bytes are no HTTP/1.1 answer, or the answer was cut off.
        """
        self.started = self.started or bool(data)
        self._buffer += data
        if not self.status and not self._read_head():
            if not data:
                raise AnswerError("the connection was closed before the answer")
            return
        self._read_body()
        if not data and not self.complete:
            if self._missing is not None or self._chunked:
                raise AnswerError("the connection was closed in the middle of the answer")
            self.complete = True

    def _read_head(self) -> bool:
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if (len(self._buffer) if end < 0 else end) > _MAX_HEAD_BYTES:
                raise AnswerError(f"its headers are longer than {_MAX_HEAD_BYTES} bytes")
            if end < 0:
                return False
            status_line, *fields = bytes(self._buffer[:end]).split(b"\r\n")
            del self._buffer[: end + 4]
            match = _STATUS_LINE.fullmatch(status_line)
            if match is None:
                raise AnswerError(f"it is not HTTP/1.1: {status_line[:40]!r}")
            status = int(match[2])
            # Interim answers (100 Continue, 103 Early Hints) come before the real one.
            if status >= 200:  # noqa: PLR2004 - HTTP's own boundary
                break
            if status == 101:  # noqa: PLR2004 - we never ask for another protocol
                raise AnswerError("it switches protocols")
        self.headers = _parse_fields(fields)
        self._frame_body(status, keep_alive=match[1] == b"1")
        self.status = status
        return True

    def _frame_body(self, status: int, *, keep_alive: bool) -> None:
        connection = self.headers.get("connection", "").lower()
        self._persistent = keep_alive and "close" not in connection
        coding = self.headers.get("transfer-encoding")
        length = self.headers.get("content-length")
        if status in _NO_BODY or (self._answers_connect and status in _SUCCESS):
            self._missing = 0
        elif coding is not None:
            if coding.strip().lower() != "chunked" or length is not None:
                raise AnswerError("its framing is ambiguous")
            self._chunked = True
        elif length is not None:
            if not (length.isascii() and length.isdigit() and len(length) < 20):  # noqa: PLR2004
                raise AnswerError(f"its Content-Length is {length[:40]!r}")
            self._missing = int(length)
        else:
            self._persistent = False

    def _read_body(self) -> None:
        if self._chunked:
            self._read_chunks()
        elif self._missing is None:
            self._take(len(self._buffer))
        else:
            self._missing -= self._take(self._missing)
            self.complete = self.complete or self._missing == 0

    def _read_chunks(self) -> None:
        while not self.complete:
            if self._missing is None:
                line = self._take_line()
                if line is None:
                    return
                if self._in_trailers:
                    self.complete = not line
                else:
                    self._begin_chunk(line)
                continue
            if self._missing:
                self._missing -= self._take(self._missing)
            if self._missing or len(self._buffer) < len(_CRLF):
                return
            if not self._buffer.startswith(_CRLF):
                raise AnswerError("a chunk is longer than its size")
            del self._buffer[: len(_CRLF)]
            self._missing = None

    def _begin_chunk(self, line: bytes) -> None:
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise AnswerError(f"it has a bad chunk size: {line[:40]!r}")
        size = int(match[1], 16)
        self._in_trailers = size == 0
        self._missing = size or None

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(_CRLF)
        if (len(self._buffer) if end < 0 else end) > _MAX_HEAD_BYTES:
            raise AnswerError("a line between its chunks is too long")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + len(_CRLF)]
        return line

    def _take(self, count: int) -> int:
        """Move bytes to the body, up to the cap; beyond it the answer ends here."""
        room = self._max_body_bytes - len(self._body)
        taken = self._buffer[: min(count, room)]
        self._body += taken
        del self._buffer[: len(taken)]
        if len(taken) == room < count:
            self.truncated = self.complete = True
        return len(taken)


def _parse_fields(lines: list[bytes]) -> dict[str, str]:
    pairs: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not (colon and _FIELD_NAME.fullmatch(name) and _FIELD_VALUE.fullmatch(value)):
            raise AnswerError(f"it has a bad header line: {line[:40]!r}")
        pairs.append((name.decode("ascii"), value.strip(b" \t").decode("latin-1")))
    return collect_fields(pairs)


def collect_fields(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Make a mapping of header fields, the names in lower case.

    Repeated fields are joined as RFC 9110 says; of those that hold a single value the last counts.

    Raises:
        AnswerError: There are two lengths.
    """
    fields: dict[str, str] = {}
    for name, text in pairs:
        key = name.lower()
        if key not in fields or key in _SINGLE:
            if key == "content-length" and fields.get(key, text) != text:
                raise AnswerError("its framing is ambiguous")
            fields[key] = text
        else:
            fields[key] += f", {text}"
    return fields


def render_request(
    method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes
) -> bytes:
    """Write a request; one write on the wire, so that no delayed ACK holds it up."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def decode_content(
    headers: Mapping[str, str], body: bytes, max_body_bytes: int = MAX_BODY_BYTES
) -> tuple[bytes, bool]:
    """Undo a content coding that we did not ask for, up to the cap.

    Returns:
        The body, and whether it goes on beyond the cap. A coding that we do not know, or that is
        broken, leaves the bytes as they are.
    """
    if headers.get("content-encoding", "").strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return body, False
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        decoded = decoder.decompress(body, max_body_bytes)
    except zlib.error:
        return body, False
    return decoded, bool(decoder.unconsumed_tail)
