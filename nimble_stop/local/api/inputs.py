"""Reading what a caller sent: the body, the query and the client token.

This module owns the constraints on input and the words in which breaking them is reported. They are
AWS's: a body that is no JSON object, or holds a value of another type, is SerializationException;
a value that breaks a constraint is ValidationException, which names all of them at once.
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote_to_bytes

import attrs

from nimble_stop.local.api.refusals import Refusal
from nimble_stop.models import VolumeRetentionMode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_body", "read_query", "read_token"]

_INSTANCE_TYPES: Final = (
    "g4dn.xlarge", "g4dn.2xlarge", "g4dn.4xlarge", "g4dn.8xlarge", "g4dn.12xlarge",
    "g4dn.16xlarge", "g3.4xlarge", "g3s.xlarge", "g5.xlarge", "g5.2xlarge", "g5.4xlarge",
    "g5.8xlarge", "g5.16xlarge",
)  # fmt: skip
_TOKEN_LENGTH: Final = 64


@attrs.frozen(kw_only=True)
class _Member:
    """One member of a request's body.

    Args:
        is_map: A map of strings; else a string.
        required: It must be there.
        allowed: The values that it may have.
        maximum_length: How many characters it may have.
        pattern: What it must look like.
    """

    is_map: bool = False
    required: bool = False
    allowed: tuple[str, ...] = ()
    maximum_length: int | None = None
    pattern: str | None = None


_BODIES: Final[Mapping[str, Mapping[str, _Member]]] = MappingProxyType(
    {
        "CreateStreamingSession": {
            "ec2InstanceType": _Member(allowed=_INSTANCE_TYPES),
            "launchProfileId": _Member(required=True),
            "ownedBy": _Member(),
            "streamingImageId": _Member(maximum_length=22, pattern="^[a-zA-Z0-9-_]*$"),
            "tags": _Member(is_map=True),
        },
        "StartStreamingSession": {"backupId": _Member()},
        "StopStreamingSession": {
            "volumeRetentionMode": _Member(allowed=tuple(VolumeRetentionMode)),
        },
    }
)
"""The bodies that operations take; the others take none."""


def read_body(
    operation: str, body: bytes, headers: Mapping[bytes, list[bytes]]
) -> dict[str, object]:
    """Read and check a request's body.

    Returns:
        The members that the operation knows; those that are null are left out, as if not sent.

    Raises:
        Refusal: The body does not fit the operation.
    """
    members = _BODIES.get(operation)
    if members is None:
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


def _check_media_type(headers: Mapping[bytes, list[bytes]]) -> None:
    sent = b",".join(headers.get(b"content-type", [b"application/json"])).decode("latin-1")
    media_type, _, parameters = sent.lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    if media_type.strip() != "application/json" or charset not in {"", "charset=utf-8"}:
        raise Refusal("UnsupportedMediaTypeException", "The body must be application/json, UTF-8.")
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


def _check_type(name: str, value: object, member: _Member) -> None:
    if not member.is_map:
        if not isinstance(value, str):
            raise Refusal("SerializationException", f"Value at '/{name}' is not a string.")
        return
    entries = cast("dict[str, object]", value) if isinstance(value, dict) else None
    if entries is None or not all(isinstance(entry, str) for entry in entries.values()):
        raise Refusal("SerializationException", f"Value at '/{name}' is not a map of strings.")


def _violations(name: str, value: object, member: _Member) -> list[str]:
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
