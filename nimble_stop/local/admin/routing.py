"""How a route of the admin API is declared, and how a request finds its own.

One declaration serves both: what is dispatched and what the OpenAPI document says.
"""

from __future__ import annotations

from difflib import get_close_matches
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import attrs

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.replies import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nimble_stop.local.admin.context import Context
    from nimble_stop.local.admin.replies import Reply

__all__ = ["Action", "Call", "Parameter", "Route", "Schema", "find_route"]

Schema: TypeAlias = "Mapping[str, object]"
"""A JSON Schema, as OpenAPI 3.1 has it."""


@attrs.frozen
class Call:
    """One request, read and checked against its route.

    Args:
        path: The values of the path's variables.
        parameters: The values of the query and of the declared headers.
        body: The JSON of its body; None when the route takes none.
    """

    path: Mapping[str, str] = MappingProxyType({})
    parameters: Mapping[str, str | int] = MappingProxyType({})
    body: object = None


Action: TypeAlias = "Callable[[Context, Call], Reply]"
"""What a route does."""


@attrs.frozen
class Parameter:
    """A parameter of the query, or a header.

    Args:
        name: Its name.
        description: What it means.
        schema: What it may be: a string or an integer.
        header: Whether it is a header.
    """

    name: str
    description: str
    schema: Schema = attrs.field(factory=lambda: {"type": "string"}, kw_only=True)
    header: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen(kw_only=True)
class Route:
    """One method of one path.

    Args:
        method: The HTTP method. GET serves HEAD too.
        path: The path behind `PREFIX`; ``{name}`` stands for one segment.
        name: The operation's id.
        summary: What it does, in one line.
        description: What else there is to know, in Markdown.
        action: What it does.
        parameters: Its parameters.
        body: What its body may be; None when it takes none.
        max_body_bytes: How large its body may be.
        status: The status of success.
        returns: What is answered then; None for no content.
        media_type: The media type of what is answered.
        errors: The statuses of errors that are its own: 400, 404, 409.
        is_public: Whether it is served without the admin token.
        may_wait: Whether its action may wait for the store, and so needs a thread.
    """

    method: str
    path: str
    name: str
    summary: str
    action: Action
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    max_body_bytes: int = 1024 * 1024
    status: int = HTTPStatus.OK
    returns: Schema | None = None
    media_type: str = "application/json"
    errors: tuple[int, ...] = ()
    is_public: bool = False
    may_wait: bool = True

    @property
    def segments(self) -> tuple[str, ...]:
        """The path between its slashes."""
        return tuple(filter(None, self.path.split("/")))

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the values of the path's variables; None when it is another path."""
        own = self.segments
        if len(segments) != len(own):
            return None
        values: dict[str, str] = {}
        for expected, segment in zip(own, segments, strict=True):
            if expected.startswith("{"):
                values[expected.strip("{}")] = segment
            elif expected != segment:
                return None
        return values


def find_route(
    routes: Sequence[Route], method: str, segments: Sequence[str]
) -> tuple[Route, dict[str, str]]:
    """Find the route of a request.

    Args:
        routes: All routes.
        method: The HTTP method.
        segments: The decoded segments of the path behind `PREFIX`.

    Returns:
        The route and the values of its path's variables.

    Raises:
        Problem: There is none: 404 with the routes that are most like it, or 405.
    """
    wanted = "GET" if method == "HEAD" else method
    allowed: list[str] = []
    for route in routes:
        values = route.match(segments)
        if values is None:
            continue
        if route.method == wanted:
            return route, values
        allowed.append(route.method)
    if allowed:
        if "GET" in allowed:
            allowed.append("HEAD")
        names = ", ".join(sorted(allowed))
        raise Problem(
            405, f"{method} is not allowed here. Allowed: {names}.", headers={"Allow": names}
        )
    near = _near_routes(routes, segments)
    raise Problem(
        404, f"The admin API has no such path. Near it are {', '.join(near)}.", routes=near
    )


def _near_routes(routes: Sequence[Route], segments: Sequence[str]) -> list[str]:
    """List the routes that were probably meant: of the same first segment, or of one like it."""
    names = {route.segments[0] for route in routes if route.segments}
    close = get_close_matches(segments[0] if segments else "", names, n=1, cutoff=0.5)
    near = [route for route in routes if route.segments[:1] == tuple(close)] if close else routes
    return [f"{route.method} {PREFIX}{route.path}" for route in near]
