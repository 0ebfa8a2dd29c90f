"""What an action of the admin API answers with, beside a JSON document, and what it raises."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import attrs

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local.api.answer import JSON, Answer
from nimble_stop.models import member_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INPUT_ERRORS: Final = (ConfigurationError, TypeError, ValueError, OverflowError)
"""What the endpoint's methods raise for values that are not allowed."""

# The names of arguments stand alone, and a user's own text in quotes.
_ARGUMENT: Final = re.compile(r"(?<!\S)[a-z]+(?:_[a-z0-9]+)+\b")


def json_answer(
    document: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with a JSON document, which ends a line for those who read it on a terminal."""
    body = f"{_written(document)}\n".encode()
    return Answer(status=status, body=body, headers={"Content-Type": JSON, **(headers or {})})


def _written(document: object) -> str:
    """Write JSON; a long list piece by piece, because `json.dumps` lets no other thread run."""
    if isinstance(document, list):
        return f"[{', '.join(map(json.dumps, cast('list[object]', document)))}]"
    if isinstance(document, dict):
        members = cast("dict[str, object]", document).items()
        written = (f"{json.dumps(name)}: {_written(value)}" for name, value in members)
        return f"{{{', '.join(written)}}}"
    return json.dumps(document)


@attrs.define(eq=False)
class Problem(Exception):  # noqa: N818  # an answer, not a failure of the endpoint
    """A request to the admin API is refused, and nothing was changed.

    Args:
        message: What is wrong and what is allowed.
        routes: Where there is no such route, those that were probably meant.
    """

    status: int
    message: str
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], kw_only=True)
    routes: Sequence[str] = attrs.field(default=(), kw_only=True)

    @property
    def answer(self) -> Answer:
        """The answer."""
        details = {"routes": self.routes} if self.routes else {}
        return json_answer({"message": self.message, **details}, self.status, self.headers)


def wrong_input(error: Exception, status: int = HTTPStatus.BAD_REQUEST) -> Problem:
    """Make a problem of one of `INPUT_ERRORS`; its message names members as they are in JSON."""
    if isinstance(error, ConfigurationError):
        return Problem(status, error.message)
    message = _ARGUMENT.sub(lambda found: member_name(found[0]), str(error))
    return Problem(status, message if message.endswith((".", "?")) else f"{message}.")
