"""From a request's method and raw target to the operation and the ids that it names.

This module owns the rule how a target is read: one percent-encoded segment an id, decoded once as
UTF-8, and nothing normalised. A target that somebody on the way could read differently (an empty or
a dot segment, however it is spelled) is refused, so that what was signed is what is done.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import attrs

from nimble_stop.local.api.operation_table import OPERATIONS, Operation
from nimble_stop.local.api.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Route", "Target", "parse_target", "route", "unknown_operation"]

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ABSOLUTE_FORM: Final = re.compile(rb"\Ahttps?://[^/?#]*", re.IGNORECASE)
_PREFIX: Final = (b"2020-08-01", b"studios")
_COLLECTION: Final = b"streaming-sessions"
_STUDIO: Final = 2
_SESSION: Final = 4


def _shape(operation: Operation) -> tuple[int, bytes | None]:
    """Return how many segments an operation's path has, and the last one when it is an action."""
    segments = 4 + operation.on_session + (operation.action is not None)
    return segments, operation.action


_BY_SHAPE: Final[dict[tuple[int, bytes | None], dict[str, str]]] = {}
for _operation in OPERATIONS.values():
    _BY_SHAPE.setdefault(_shape(_operation), {})[_operation.method] = _operation.name


@attrs.frozen
class Target:
    """A request's target, taken apart.

    Args:
        path: The path as it was sent.
        query: The query as it was sent, without the question mark.
        raw_segments: The path between its slashes, as it was sent.
        segments: The same, decoded.
    """

    path: bytes
    query: bytes
    raw_segments: tuple[bytes, ...]
    segments: tuple[str, ...]


@attrs.frozen
class Route:
    """What a request asks for.

    Args:
        operation: The API operation.
        studio_id: The studio that the path names.
        session_id: The session that the path names; None for the studio's sessions as a whole.
    """

    operation: str
    studio_id: str
    session_id: str | None


def parse_target(target: bytes) -> Target:
    """Take a raw target apart.

    Raises:
        Refusal: It holds a bad percent escape, an empty or dot segment, a fragment, or text that
            is not UTF-8.
    """
    if _BAD_ESCAPE.search(target):
        raise _refused("it holds a '%' that is not followed by two hexadecimal digits")
    if b"#" in target:
        raise _refused("it holds a fragment")
    # RFC 9112, 3.2.2: a server must accept the absolute form, which proxies are sent.
    path, _, query = _ABSOLUTE_FORM.sub(b"", target).partition(b"?")
    before, *raw_segments = path.split(b"/")
    if before or raw_segments == [b""]:
        # The other forms of RFC 9112, 3.2, and the root: they have no segments to speak of.
        raw_segments = []
    segments: list[str] = []
    for raw_segment in raw_segments:
        try:
            segment = unquote_to_bytes(raw_segment).decode()
        except UnicodeDecodeError:
            raise _refused("a segment of its path is not UTF-8") from None
        if segment in {"", ".", ".."}:
            raise _refused("its path holds an empty segment, '.' or '..'")
        segments.append(segment)
    return Target(path, query, tuple(raw_segments), tuple(segments))


def _refused(reason: str) -> Refusal:
    return Refusal("ValidationException", f"The request's target cannot be used: {reason}.")


def route(method: str, target: Target) -> Route | None:
    """Find the operation that a request asks for.

    Returns:
        The operation and the ids, or None when there is no such operation.
    """
    operation = _methods(target.raw_segments).get(method)
    if operation is None:
        return None
    segments = target.segments
    session_id = segments[_SESSION] if len(segments) > _SESSION else None
    return Route(operation, segments[_STUDIO], session_id)


def _methods(segments: tuple[bytes, ...]) -> Mapping[str, str]:
    """List what a path offers: each method with its operation."""
    if segments[:2] != _PREFIX or segments[3:4] != (_COLLECTION,):
        return {}
    action = segments[-1] if len(segments) > _SESSION + 1 else None
    return _BY_SHAPE.get((len(segments), action), {})


def unknown_operation(method: str, target: Target) -> Refusal:
    """Say that there is no such operation, and what there is."""
    methods = _methods(target.raw_segments)
    if methods:
        allowed = ", ".join(sorted(methods))
        return Refusal(
            "UnknownOperationException",
            f"{method} is not offered here; {allowed} is.",
            status=405,
            headers={"Allow": allowed},
        )
    return Refusal(
        "UnknownOperationException",
        f"No operation has this path. This endpoint serves {', '.join(OPERATIONS)}.",
    )
