"""Reading what a caller sent: the body, the query and the client token.

The constraints on input and the words in which breaking them is refused are AWS's: a body that is
no JSON object, or holds a value of another type, is SerializationException; a value that breaks a
constraint is ValidationException, which names all of them at once.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote_to_bytes

from nimble_stop.local.api.answer import JSON, Refusal
from nimble_stop.local.api.operation_table import OPERATIONS, BodyMember

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TOKEN_LENGTH: Final = 64
# From the most to the least specific.
_JSON_RANGES: Final = (JSON, "application/*", "*/*")
_NO_WEIGHT: Final = re.compile(r"q=0(\.0{0,3})?")

_invalid = partial(Refusal, "ValidationException")
_not_serialized = partial(Refusal, "SerializationException")
_unsupported = partial(Refusal, "UnsupportedMediaTypeException")


def check_accept(headers: Mapping[bytes, list[bytes]]) -> None:
    """Refuse a caller whose ``Accept`` header excludes JSON (RFC 9110, 12.5.1)."""
    sent = headers.get(b"accept")
    if sent is None:
        return
    accepted: dict[str, bool] = {}
    for text in b",".join(sent).decode("latin-1").lower().split(","):
        media_type, *parameters = (part.strip() for part in text.split(";"))
        accepted[media_type] = not any(map(_NO_WEIGHT.fullmatch, parameters))
    # The most specific range decides, and a weight of 0 excludes.
    if not next((accepted[name] for name in _JSON_RANGES if name in accepted), False):
        raise Refusal("NotAcceptableException", "The answer is application/json.")


def read_body(
    operation: str, body: bytes, headers: Mapping[bytes, list[bytes]]
) -> dict[str, object]:
    """Read and check the members that the operation knows; null is as if not sent."""
    members = OPERATIONS[operation].body
    if members is None:
        if body:
            raise _unsupported("The operation has no body.")
        if b"content-type" in headers:
            raise _unsupported("The operation has no body, so no Content-Type.")
        return {}
    if not body:
        raise _invalid("Unknown error parsing request body")
    _check_media_type(headers)
    document = _parse_object(body)
    given = {name: document.get(name) for name in members}
    violations = [
        violation
        for name, value in given.items()
        for violation in _violations(name, value, members[name])
    ]
    if violations:
        raise _violated(violations)
    return {name: value for name, value in given.items() if value is not None}


def _check_media_type(headers: Mapping[bytes, list[bytes]]) -> None:
    sent = b",".join(headers.get(b"content-type", [])).decode("latin-1")
    # Parameters are ignored; JSON is UTF-8 whatever they say (RFC 8259, 8.1).
    if sent.partition(";")[0].strip().lower() != JSON:
        raise _unsupported("The body must be application/json.")
    if b"content-encoding" in headers:
        raise _unsupported("The body must not be encoded.")


def parse_json(body: bytes) -> object:
    """Parse strict JSON in UTF-8.

    Raises:
        ValueError: It is no such JSON, or is nested too deeply.
    """
    try:
        document: object = json.loads(body.decode(), parse_constant=_refuse_constant)
        if b"\\u" in body:
            # A lone surrogate can be written in JSON and nowhere else.
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError(str(error)) from error
    return document


def _parse_object(body: bytes) -> dict[str, object]:
    try:
        document = parse_json(body)
    except ValueError as error:
        raise _not_serialized("The request's body is not JSON.") from error
    if not isinstance(document, dict):
        raise _not_serialized("The request's body is not a JSON object.")
    return cast("dict[str, object]", document)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON's")


def _violations(name: str, value: object, member: BodyMember) -> Iterator[str]:
    """Describe the constraints that a value breaks; refuse one of another type."""
    if value is None:
        if member.required:
            yield _violation(name, "not be null")
    elif member.is_map:
        entries = cast("dict[str, object]", value) if isinstance(value, dict) else {"": None}
        if not all(isinstance(entry, str) for entry in entries.values()):
            raise _not_serialized(f"Value at '/{name}' is not a map of strings.")
    elif not isinstance(value, str):
        raise _not_serialized(f"Value at '/{name}' is not a string.")
    else:
        if member.allowed and value not in member.allowed:
            yield _violation(name, f"satisfy enum value set: [{', '.join(member.allowed)}]")
        if member.maximum_length is not None and len(value) > member.maximum_length:
            yield _violation(name, f"have length less than or equal to {member.maximum_length}")
        if member.pattern is not None and re.fullmatch(member.pattern, value) is None:
            yield _violation(name, f"satisfy regular expression pattern: {member.pattern}")


def _violation(name: str, constraint: str) -> str:
    return f"Value at '/{name}' failed to satisfy constraint: Member must {constraint}"


def _violated(problems: Sequence[str]) -> Refusal:
    noun = "error" if len(problems) == 1 else "errors"
    return _invalid(f"{len(problems)} validation {noun} detected. {'; '.join(problems)}")


def read_token(headers: Mapping[bytes, list[bytes]]) -> str | None:
    """Read and check the client token, or None when none was sent."""
    sent = headers.get(b"x-amz-client-token")
    if sent is None:
        return None
    token = b",".join(sent).strip().decode("latin-1")
    if not 1 <= len(token) <= _TOKEN_LENGTH:
        bound = f"less than or equal to {_TOKEN_LENGTH}" if token else "greater than or equal to 1"
        raise _violated([_violation("clientToken", f"have length {bound}")])
    return token


def read_query(query: bytes) -> dict[str, str]:
    """Read and check a raw query; a plus sign is a plus sign, as in a signature."""
    read: dict[str, str] = {}
    for pair in filter(None, query.split(b"&")):
        raw_name, _, raw_value = pair.partition(b"=")
        try:
            name, value = unquote_to_bytes(raw_name).decode(), unquote_to_bytes(raw_value).decode()
        except UnicodeDecodeError:
            raise _invalid("The request's query is not UTF-8.") from None
        if name in read:
            raise _invalid(f"The request's query holds {name!r} twice.")
        read[name] = value
    return read
