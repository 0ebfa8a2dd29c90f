"""How a route of the admin API is declared, and how a request finds its own.

One declaration serves both: what is dispatched and what the OpenAPI document says. The arguments of
a route's action, their types and their descriptions are the route's parameters.
"""

from __future__ import annotations

import inspect
import time
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_type_hints

import attrs

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.replies import Problem
from nimble_stop.local.admin.schemas import Schema, argument_descriptions, type_schema
from nimble_stop.models import member_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nimble_stop.local.admin.access import Access
    from nimble_stop.local.control import Control
    from nimble_stop.local.storage.store import Store

__all__ = ["Action", "Context", "Parameter", "Route", "find_route"]

# Arguments that are sent as a header.
_HEADERS: Final = MappingProxyType({"last_event_id": "Last-Event-ID"})


@attrs.define
class Context:
    """The endpoint that serves, as actions see it.

    Args:
        control: What can be done to it.
        store: Its open store.
        access: Who may use the admin API.
        started: When it began to serve, by `time.monotonic`.
        readers: How many streams of events are open.
        is_closed: Whether it is about to end, so that they end too.
    """

    control: Control
    store: Store
    access: Access
    started: float = attrs.field(factory=time.monotonic)
    readers: int = 0
    is_closed: bool = False


Action: TypeAlias = "Callable[..., object]"
"""What a route does with a `Context` and, by keyword, with what a request carries.

It returns a JSON document, or None for no content, or a `Content` or an `EventStream`.
"""


@attrs.frozen
class Parameter:
    """An argument of an action that a request carries in its path, its query or a header."""

    argument: str
    name: str
    place: Literal["path", "query", "header"]
    schema: Schema
    description: str


def _read_parameters(route: Route) -> tuple[Parameter, ...]:
    """Make parameters of all arguments of a route's action but its context and its body."""
    hints = get_type_hints(route.action, include_extras=True)
    descriptions = argument_descriptions(route.action)
    arguments = list(inspect.signature(route.action).parameters)[1:]
    return tuple(
        Parameter(
            argument,
            _HEADERS.get(argument, member_name(argument)),
            _place(route, argument),
            type_schema(hints[argument], with_null=False),
            descriptions.get(argument, ""),
        )
        for argument in arguments
        if argument != "body"
    )


def _place(route: Route, argument: str) -> Literal["path", "query", "header"]:
    if argument in _HEADERS:
        return "header"
    return "path" if f"{{{member_name(argument)}}}" in route.path else "query"


@attrs.frozen
class Route:
    """One method of one path.

    Args:
        method: The HTTP method. GET serves HEAD too.
        path: The path behind `PREFIX`; ``{name}`` stands for one segment.
        action: What it does; its docstring describes the route.
        body: What the action's ``body`` may be; None when it takes none.
        max_body_bytes: How large the body may be.
        returns: What is answered: JSON of a schema, or text of a media type; None for no content.
        status: The status of success; by default 204 for no content, else 200.
        errors: The statuses of errors that are its own.
        is_public: Whether it is served without the admin token.
        may_wait: Whether its action may wait for the store, and so needs a thread; by default, of
            those that are not public.
    """

    method: str
    path: str
    action: Action
    body: Schema | None = attrs.field(default=None, kw_only=True)
    max_body_bytes: int = attrs.field(default=1024 * 1024, kw_only=True)
    returns: Schema | str | None = attrs.field(default=None, kw_only=True)
    status: int = attrs.field(
        default=attrs.Factory(lambda route: 204 if route.returns is None else 200, takes_self=True),
        kw_only=True,
    )
    errors: tuple[int, ...] = attrs.field(default=(), kw_only=True)
    is_public: bool = attrs.field(default=False, kw_only=True)
    may_wait: bool = attrs.field(
        default=attrs.Factory(lambda route: not route.is_public, takes_self=True), kw_only=True
    )
    parameters: tuple[Parameter, ...] = attrs.field(
        default=attrs.Factory(_read_parameters, takes_self=True), init=False
    )

    @property
    def name(self) -> str:
        """The operation's id."""
        return member_name(self.action.__name__)

    @property
    def segments(self) -> tuple[str, ...]:
        """The path between its slashes."""
        return tuple(filter(None, self.path.split("/")))

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the values of the path's variables; None when it is another path."""
        own = self.segments
        if len(segments) != len(own):
            return None
        pairs = list(zip(own, segments, strict=True))
        if any(name != segment for name, segment in pairs if not name.startswith("{")):
            return None
        return {name.strip("{}"): segment for name, segment in pairs if name.startswith("{")}


def find_route(
    routes: Sequence[Route], method: str, segments: Sequence[str]
) -> tuple[Route, dict[str, str]]:
    """Find the route of a path behind `PREFIX`, and the values of the path's variables.

    Raises:
        Problem: There is none: 404 with the routes that are most like it, or 405.
    """
    found = {
        route.method: (route, values)
        for route in routes
        if (values := route.match(segments)) is not None
    }
    if "GET" in found:
        found["HEAD"] = found["GET"]
    if method in found:
        return found[method]
    if found:
        names = ", ".join(sorted(found))
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
