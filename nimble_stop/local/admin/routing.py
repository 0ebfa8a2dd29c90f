"""The routes of the admin API: how one is declared, how a request finds its own and is read.

One declaration serves all: what is dispatched, what a request may carry and what the OpenAPI
document says. The arguments of a route's action, their types and their descriptions are the route's
parameters. Nothing that a request carries is ignored: an unknown parameter or member is an error
that names it and suggests a known one.
"""

from __future__ import annotations

import inspect
import time
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypedDict, cast, get_type_hints
from urllib.parse import parse_qsl

import attrs

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.replies import Problem
from nimble_stop.local.admin.schemas import Schema, argument_descriptions, type_schema
from nimble_stop.local.api.inputs import parse_json
from nimble_stop.local.faults.checks import suggestion
from nimble_stop.models import member_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nimble_stop.local.admin.access import Access
    from nimble_stop.local.control import Control
    from nimble_stop.local.storage.store import Store

_JSON: Final = "application/json"
_INTEGER_DIGITS: Final = 18
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

It returns a JSON document, or None for no content, or an `Answer`.
"""

Place: TypeAlias = Literal["path", "query", "header"]
"""The part of a request that carries a parameter."""

Parameter = TypedDict(
    "Parameter",
    {"name": str, "in": Place, "required": bool, "schema": Schema, "description": str},
)
"""An argument of an action that a request carries, described as OpenAPI does."""


def _parameters(route: Route) -> dict[str, Parameter]:
    """Describe all arguments of a route's action but its context and its body."""
    hints = get_type_hints(route.action, include_extras=True)
    descriptions = argument_descriptions(route.action)
    parameters: dict[str, Parameter] = {}
    for argument in list(inspect.signature(route.action).parameters)[1:]:
        if argument == "body":
            continue
        name = _HEADERS.get(argument, member_name(argument))
        place: Place = "path" if f"{{{name}}}" in route.path else "query"
        parameters[argument] = {
            "name": name,
            "in": "header" if argument in _HEADERS else place,
            "required": place == "path",
            "schema": type_schema(hints[argument], with_null=False),
            "description": descriptions.get(argument, f"A value of the {place}."),
        }
    return parameters


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
    body: Schema | None = None
    max_body_bytes: int = 1024 * 1024
    returns: Schema | str | None = None
    status: int = attrs.field(
        default=attrs.Factory(lambda route: 204 if route.returns is None else 200, takes_self=True)
    )
    errors: tuple[int, ...] = ()
    is_public: bool = False
    may_wait: bool = attrs.field(
        default=attrs.Factory(lambda route: not route.is_public, takes_self=True)
    )
    parameters: Mapping[str, Parameter] = attrs.field(
        default=attrs.Factory(_parameters, takes_self=True), init=False
    )
    """By the names of the action's arguments."""

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


def read_arguments(
    route: Route,
    path: Mapping[str, str],
    *,
    query: bytes,
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, object]:
    """Read the arguments of a route's action out of a request.

    Args:
        route: The route.
        path: The values of the path's variables.
        query: The query as it was sent, without the question mark.
        headers: The headers, whatever the case of their names.
        body: The whole body.

    Raises:
        Problem: It holds something that the route does not take.
    """
    sent: dict[Place, Mapping[str, str]] = {
        "path": path,
        "query": _read_query(route, query),
        "header": headers,
    }
    arguments: dict[str, object] = {
        argument: _value(parameter, sent[parameter["in"]][parameter["name"]])
        for argument, parameter in route.parameters.items()
        if parameter["name"] in sent[parameter["in"]]
    }
    _check_media_type(body, headers)
    if route.body is not None:
        arguments["body"] = _parse_json(body)
    elif body.strip() not in {b"", b"{}"}:
        # Some clients cannot send a POST without a body, and send an empty object.
        raise Problem(400, f"{route.method} of this path takes no body.")
    return arguments


def _read_query(route: Route, query: bytes) -> dict[str, str]:
    parameters = route.parameters.values()
    known = [parameter["name"] for parameter in parameters if parameter["in"] == "query"]
    values: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise Problem(400, f"There is no parameter {name!r} here{_advice(name, known)}")
        if name in values:
            raise Problem(400, f"The parameter {name!r} is given twice.")
        values[name] = value
    return values


def _value(parameter: Parameter, text: str) -> str | int:
    name, schema = parameter["name"], parameter["schema"]
    if schema["type"] == "string":
        return text
    minimum = cast("int", schema["minimum"])
    if text.isascii() and text.isdecimal() and len(text) <= _INTEGER_DIGITS:
        number = int(text)
        if number >= minimum:
            return number
    raise Problem(
        404 if parameter["in"] == "path" else 400,
        f"{name} must be a whole number, {minimum} or more, not {text!r}.",
    )


def _check_media_type(body: bytes, headers: Mapping[str, str]) -> None:
    # Also without a body: a form of another page can be empty.
    media_type = headers.get("Content-Type", "")
    if (body or media_type) and not _is_json(media_type):
        raise Problem(
            415,
            f"A body must be sent with 'Content-Type: {_JSON}', not {media_type or 'without one'}.",
        )
    if "Content-Encoding" in headers:
        raise Problem(415, "A body must not be encoded.")


def _is_json(media_type: str) -> bool:
    kind, _, parameters = media_type.lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    return kind.strip() == _JSON and charset in {"", "charset=utf-8"}


def _parse_json(body: bytes) -> object:
    if not body:
        raise Problem(400, "A JSON body is needed here, and there is none.")
    try:
        return parse_json(body)
    except ValueError as error:
        raise Problem(400, f"The body is not JSON in UTF-8: {error}.") from error


def read_objects(document: object) -> list[dict[str, object]]:
    """Read one object, or a list of them.

    Raises:
        Problem: It is something else.
    """
    entries = cast("list[object]", document if isinstance(document, list) else [document])
    if not all(isinstance(entry, dict) for entry in entries):
        raise Problem(400, "The body must be a JSON object or a list of objects.")
    return cast("list[dict[str, object]]", entries)


def check_members(document: object, known: Iterable[str]) -> dict[str, object]:
    """Read an object of known members.

    Raises:
        Problem: It is no object, or a member is not known; the message names it.
    """
    if not isinstance(document, dict):
        raise Problem(400, "The body must be a JSON object.")
    members = cast("dict[str, object]", document)
    for name in members:
        if name not in known:
            raise Problem(400, f"There is no member {name!r}{_advice(name, known)}")
    return members


def _advice(name: str, known: Iterable[str]) -> str:
    return f"{suggestion(name, known) or '.'} Allowed: {', '.join(known) or 'none'}."
