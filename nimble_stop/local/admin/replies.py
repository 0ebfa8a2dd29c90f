"""What an action of the admin API answers with, beside a JSON document, and what it raises."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import attrs

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.models import member_name

if TYPE_CHECKING:
    from collections.abc import Mapping

INPUT_ERRORS: Final = (ConfigurationError, TypeError, ValueError, OverflowError)
"""What the endpoint's methods raise for values that are not allowed."""

# The names of arguments stand alone, and a user's own text in quotes.
_ARGUMENT: Final = re.compile(r"(?<!\S)[a-z]+(?:_[a-z0-9]+)+\b")


@attrs.frozen(kw_only=True)
class Content:
    """A whole answer, with the headers that are its own."""

    content: bytes = attrs.field(default=b"", repr=False)
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class EventStream:
    """The events of the endpoint after a given one; None begins with the next one."""

    after: int | None


def json_content(
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


class Problem(Exception):  # noqa: N818  # an answer, not a failure of the endpoint
    """A request to the admin API is refused, and nothing was changed.

    The message says what is wrong and what is allowed; details are further members of the JSON
    object that is answered.
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
    def content(self) -> Content:
        """The answer."""
        return json_content({"message": self.message, **self.details}, self.status, self.headers)


def wrong_input(error: Exception, status: int = HTTPStatus.BAD_REQUEST) -> Problem:
    """Make a problem of one of `INPUT_ERRORS`; its message names members as they are in JSON."""
    if isinstance(error, ConfigurationError):
        return Problem(status, error.message)
    message = _ARGUMENT.sub(lambda found: member_name(found[0]), str(error))
    return Problem(status, message if message.endswith((".", "?")) else f"{message}.")
