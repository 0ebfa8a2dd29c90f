"""From a request's method and raw target to the operation and the ids that it names.

This module owns the rule how a target is read: one percent-encoded segment an id, decoded once as
UTF-8, and nothing normalised. A target that somebody on the way could read differently (an empty or
a dot segment, however it is spelled) is refused, so that what was signed is what is done.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote_to_bytes

import attrs

from nimble_stop.local.api.answer import Refusal
from nimble_stop.local.api.operation_table import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ABSOLUTE_FORM: Final = re.compile(rb"\Ahttps?://[^/?#]*", re.IGNORECASE)
# Where a presigned target carries its secrets.
_PARAMETER: Final = re.compile(rb"([^?&=]*)=[^&]*")
_SECRET_PARAMETERS: Final = frozenset({b"x-amz-signature", b"x-amz-security-token"})
_PATH: Final = re.compile(
    rb"/2020-08-01/studios/[^/]+/streaming-sessions(?:/[^/]+(?P<action>|/[^/]+))?"
)

# What the paths offer, by the action that they end in: each method with its operation.
_METHODS: Final[dict[bytes | None, dict[str, str]]] = {}
for _operation in OPERATIONS.values():
    _METHODS.setdefault(_operation.action, {})[_operation.method] = _operation.name


@attrs.frozen
class Target:
    """A request's target, taken apart; the query without its question mark."""

    path: bytes
    query: bytes
    segments: tuple[str, ...]


class Route(NamedTuple):
    """What a request asks for: an operation, the studio, and the session if the path names one."""

    operation: str
    studio_id: str
    session_id: str | None


NOWHERE: Final = (None, None, None)
"""What stands for the route of a request for no operation."""


def parse_target(target: bytes) -> Target:
    """Take a raw target apart; refuse one that is ambiguous or cannot be read."""
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
    try:
        segments = tuple([unquote_to_bytes(segment).decode() for segment in raw_segments])
    except UnicodeDecodeError:
        raise _refused("a segment of its path is not UTF-8") from None
    if not {"", ".", ".."}.isdisjoint(segments):
        raise _refused("its path holds an empty segment, '.' or '..'")
    return Target(path, query, segments)


def hide_secrets(target: bytes) -> bytes:
    """Leave out the signature and the session token of a presigned target, however spelled."""

    def hide(found: re.Match[bytes]) -> bytes:
        is_secret = unquote_to_bytes(found[1]).lower() in _SECRET_PARAMETERS
        return found[1] + b"=***" if is_secret else found[0]

    path, mark, query = target.partition(b"?")
    return path + mark + _PARAMETER.sub(hide, query)


def _refused(reason: str) -> Refusal:
    return Refusal("ValidationException", f"The request's target cannot be used: {reason}.")


def route(method: str, target: Target) -> Route | None:
    """Find the operation that a request asks for, or None when there is no such operation."""
    operation = _methods(target).get(method)
    if operation is None:
        return None
    _, _, studio_id, _, *rest = target.segments
    return Route(operation, studio_id, rest[0] if rest else None)


def _methods(target: Target) -> Mapping[str, str]:
    path = _PATH.fullmatch(target.path)
    return {} if path is None else _METHODS.get(path["action"], {})


def unknown_operation(method: str, target: Target) -> Refusal:
    """Say that there is no such operation, and what there is."""
    code = "UnknownOperationException"
    allowed = ", ".join(sorted(_methods(target)))
    if allowed:
        message = f"{method} is not offered here; {allowed} is."
        return Refusal(code, message, status=405, headers={"Allow": allowed})
    serves = ", ".join(OPERATIONS)
    return Refusal(code, f"No operation has this path. This endpoint serves {serves}.")
