"""Reading what a caller sent: the body, the query and the client token.

This module owns the constraints on input and the words in which breaking them is reported. They are
AWS's: a body that is no JSON object, or holds a value of another type, is SerializationException;
a value that breaks a constraint is ValidationException, which names all of them at once.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote_to_bytes

from nimble_stop.local.api.operation_table import OPERATIONS, BodyMember
from nimble_stop.local.api.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_accept", "read_body", "read_query", "read_token"]

_TOKEN_LENGTH: Final = 64
# From the least to the most specific.
_JSON_RANGES: Final = ("*/*", "application/*", "application/json")
_NO_WEIGHT: Final = re.compile(r"q=0(\.0{0,3})?")


def check_accept(headers: Mapping[bytes, list[bytes]]) -> None:
    """Check that the caller takes JSON.

    Raises:
        Refusal: Its ``Accept`` header excludes ``application/json`` (RFC 9110, 12.5.1).
    """
    sent = headers.get(b"accept")
    if sent is None:
        return
    ranges = [_media_range(text) for text in b",".join(sent).decode("latin-1").lower().split(",")]
    named = [media_range for media_range in ranges if media_range[0] in _JSON_RANGES]
    # The most specific range decides, and a weight of 0 excludes.
    if named and max(named, key=lambda named: _JSON_RANGES.index(named[0]))[1]:
        return
    raise Refusal("NotAcceptableException", "The answer is application/json.")


def _media_range(text: str) -> tuple[str, bool]:
    """Read one range: its media type, and whether its weight is more than 0."""
    media_type, *parameters = (part.strip() for part in text.split(";"))
    return media_type, not any(_NO_WEIGHT.fullmatch(parameter) for parameter in parameters)


def read_body(
    operation: str, body: bytes, headers: Mapping[bytes, list[bytes]]
) -> dict[str, object]:
    """Read and check a request's body.

    Returns:
        The members that the operation knows; those that are null are left out, as if not sent.

    Raises:
        Refusal: The body does not fit the operation.
    """
    members = OPERATIONS[operation].body
    if members is None:
        _check_nothing_sent(body, headers)
        return {}
    if not body:
        raise Refusal("ValidationException", "Unknown error parsing request body")
    _check_media_type(headers)
    document = _parse_object(body)
    given = {name: document[name] for name in members if document.get(name) is not None}
    problems: list[str] = []
    for name, member in members.items():
        if name in given:
            _check_type(name, given[name], member)
        problems.extend(_violations(name, given.get(name), member))
    _refuse(problems)
    return given


def _check_nothing_sent(body: bytes, headers: Mapping[bytes, list[bytes]]) -> None:
    if body:
        raise Refusal("UnsupportedMediaTypeException", "The operation has no body.")
    if b"content-type" in headers:
        raise Refusal(
            "UnsupportedMediaTypeException", "The operation has no body, so no Content-Type."
        )


def _check_media_type(headers: Mapping[bytes, list[bytes]]) -> None:
    sent = b",".join(headers.get(b"content-type", [])).decode("latin-1")
    # Parameters are ignored; JSON is UTF-8 whatever they say (RFC 8259, 8.1).
    if sent.partition(";")[0].strip().lower() != "application/json":
        raise Refusal("UnsupportedMediaTypeException", "The body must be application/json.")
    if b"content-encoding" in headers:
        raise Refusal("UnsupportedMediaTypeException", "The body must not be encoded.")


def _parse_object(body: bytes) -> dict[str, object]:
    try:
        document: object = json.loads(body.decode(), parse_constant=_refuse_constant)
        if b"\\u" in body:
            # A lone surrogate can be written in JSON and nowhere else.
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal("SerializationException", "The request's body is not JSON.") from error
    if not isinstance(document, dict):
        raise Refusal("SerializationException", "The request's body is not a JSON object.")
    return cast("dict[str, object]", document)


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _check_type(name: str, value: object, member: BodyMember) -> None:
    if not member.is_map:
        if not isinstance(value, str):
            raise Refusal("SerializationException", f"Value at '/{name}' is not a string.")
        return
    entries = cast("dict[str, object]", value) if isinstance(value, dict) else None
    if entries is None or not all(isinstance(entry, str) for entry in entries.values()):
        raise Refusal("SerializationException", f"Value at '/{name}' is not a map of strings.")


def _violations(name: str, value: object, member: BodyMember) -> list[str]:
    """List the constraints that a value breaks."""
    if value is None:
        return [_violation(name, "Member must not be null")] if member.required else []
    found: list[str] = []
    if member.allowed and value not in member.allowed:
        values = ", ".join(member.allowed)
        found.append(_violation(name, f"Member must satisfy enum value set: [{values}]"))
    if member.maximum_length is not None and len(str(value)) > member.maximum_length:
        found.append(
            _violation(
                name, f"Member must have length less than or equal to {member.maximum_length}"
            )
        )
    if member.pattern is not None and re.fullmatch(member.pattern, str(value)) is None:
        found.append(
            _violation(name, f"Member must satisfy regular expression pattern: {member.pattern}")
        )
    return found


def _violation(name: str, constraint: str) -> str:
    return f"Value at '/{name}' failed to satisfy constraint: {constraint}"


def _refuse(problems: list[str]) -> None:
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise Refusal(
            "ValidationException",
            f"{len(problems)} validation {noun} detected. {'; '.join(problems)}",
        )


def read_token(headers: Mapping[bytes, list[bytes]]) -> str | None:
    """Read and check the client token, or None when none was sent.

    Raises:
        Refusal: It is too long or too short.
    """
    sent = headers.get(b"x-amz-client-token")
    if sent is None:
        return None
    token = b",".join(sent).strip().decode("latin-1")
    if not token:
        constraint = "Member must have length greater than or equal to 1"
        _refuse([_violation("clientToken", constraint)])
    if len(token) > _TOKEN_LENGTH:
        constraint = f"Member must have length less than or equal to {_TOKEN_LENGTH}"
        _refuse([_violation("clientToken", constraint)])
    return token


def read_query(query: bytes) -> dict[str, str]:
    """Read a raw query; a plus sign is a plus sign, as in a signature.

    Raises:
        Refusal: It is not UTF-8, or names something twice.
    """
    read: dict[str, str] = {}
    for pair in filter(None, query.split(b"&")):
        raw_name, _, raw_value = pair.partition(b"=")
        try:
            name, value = unquote_to_bytes(raw_name).decode(), unquote_to_bytes(raw_value).decode()
        except UnicodeDecodeError:
            raise Refusal("ValidationException", "The request's query is not UTF-8.") from None
        if name in read:
            raise Refusal("ValidationException", f"The request's query holds {name!r} twice.")
        read[name] = value
    return read
