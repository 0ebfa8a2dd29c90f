"""From the answer to a model, or to the exception for what the service said. Pure.

Nothing else in the package turns a status into an exception. `parse_response` is the mirror image
of `nimble_stop._api.request.build_request`.
"""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeVar, cast

from nimble_stop._api.errors import service_error
from nimble_stop.exceptions import ConnectionLostError, ResponseDecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nimble_stop._api.operations import Operation

ModelT = TypeVar("ModelT")

# A session is about 2 KiB; a page of 100 of them, with all their tags, stays far below this.
MAX_BODY_BYTES: Final = 1024 * 1024
_SUCCESS: Final = range(200, 300)
_CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})
# Joining two of these would make nonsense; the last one counts.
_SINGLE: Final = frozenset({"date", "retry-after", "x-amzn-errortype"})


class Response(NamedTuple):
    """An answer, complete and at most as long as the cap allows.

    The names of the headers are in lower case, and the body is without any content coding.
    ``truncated`` says that it went on beyond the cap.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False

    def __repr__(self) -> str:
        """Show the status alone: the rest may quote what was signed."""
        return f"<{type(self).__name__} {self.status}>"

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-amzn-requestid") or self.headers.get("x-amz-request-id")


def read_answer(status: int, fields: Iterable[tuple[str, str]], body: bytes) -> Response:
    """Make a response of what a transport received.

    Repeated fields are joined, as RFC 9110 says. A body that is longer than the cap has one byte
    more than that.

    Raises:
        ConnectionLostError: It is an interim answer, behind which there is no other.
    """
    if status < _SUCCESS.start:
        raise ConnectionLostError(f"HTTP {status} is no final answer.")
    headers: dict[str, str] = {}
    for name, text in fields:
        key = name.lower()
        is_joined = key in headers and key not in _SINGLE
        headers[key] = f"{headers[key]}, {text}" if is_joined else text
    truncated = len(body) > MAX_BODY_BYTES
    if headers.get("content-encoding", "").strip().lower() in _CODINGS:
        # Nobody asked for it. What cannot be decoded stays as it is.
        decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        with suppress(zlib.error):
            body = decoder.decompress(body, MAX_BODY_BYTES)
            truncated = truncated or bool(decoder.unconsumed_tail)
    return Response(status, headers, body[:MAX_BODY_BYTES], truncated=truncated)


def parse_response(operation: Operation[ModelT], response: Response) -> ModelT:
    """Make the operation's model of the answer, or raise what the service said."""
    if response.status not in _SUCCESS:
        raise service_error(
            response.status, response.headers, _error_members(response.body), response.request_id
        )
    try:
        if response.truncated:
            raise ValueError("it is too long")  # noqa: TRY301 - one way out for all reasons
        return operation.read(_json_object(response.body))
    except ValueError as error:
        raise ResponseDecodeError(
            f"The answer to {operation.name} cannot be understood: {error}",
            http_status=response.status,
            request_id=response.request_id,
            body=response.body,
        ) from None


def _error_members(body: bytes) -> dict[str, Any]:
    try:
        return _json_object(body)
    except ValueError:
        # A proxy's page says nothing that we can read.
        return {}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ValueError("the body is not UTF-8") from None
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"the body is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"the body is not a JSON object but {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
