"""What an action of the admin API returns, and the error that it raises instead."""

from __future__ import annotations

import json
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Content", "EventStream", "Problem", "Reply", "json_reply", "no_content"]


@attrs.frozen(kw_only=True)
class Content:
    """A whole answer.

    Args:
        content: Its body.
        status: The HTTP status.
        headers: The headers that are its own.
    """

    content: bytes = attrs.field(repr=False)
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class EventStream:
    """The events of the endpoint, as they happen.

    Args:
        after: The last event that the reader has seen; None begins with the next one.
    """

    after: int | None


Reply: TypeAlias = Content | EventStream
"""Whatever an action returns."""


def json_reply(
    document: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Content:
    """Answer with a JSON document, which ends a line for those who read it on a terminal."""
    return Content(
        content=f"{_written(document)}\n".encode(),
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
    )


def _written(document: object) -> str:
    """Write JSON; a long list piece by piece, because `json.dumps` lets no other thread run."""
    if isinstance(document, list):
        return f"[{', '.join(map(json.dumps, cast('list[object]', document)))}]"
    if isinstance(document, dict):
        members = cast("dict[str, object]", document).items()
        written = (f"{json.dumps(name)}: {_written(value)}" for name, value in members)
        return f"{{{', '.join(written)}}}"
    return json.dumps(document)


def no_content(headers: Mapping[str, str] | None = None) -> Content:
    """Answer that it is done."""
    return Content(content=b"", status=HTTPStatus.NO_CONTENT, headers=headers or {})


class Problem(Exception):  # noqa: N818  # an answer, not a failure of the endpoint
    """A request to the admin API is refused, and nothing was changed.

    Args:
        status: The HTTP status.
        message: What is wrong and what is allowed, for a person.
        headers: Further headers.
        details: Further members of the error's JSON object.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        **details: object,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers: dict[str, str] = dict(headers or {})
        self.details = details

    @property
    def reply(self) -> Content:
        """The answer."""
        return json_reply({"message": self.message, **self.details}, self.status, self.headers)
