"""Reading what a request to the admin API carries, against what its route declares.

This module owns the rule that nothing is ignored: an unknown parameter or member is an error that
names it and suggests a known one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl

from nimble_stop.local.admin.replies import Problem
from nimble_stop.local.api.inputs import parse_json
from nimble_stop.local.faults.checks import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nimble_stop.local.admin.routing import Parameter, Route

__all__ = ["check_members", "read_arguments", "read_objects"]

_JSON: Final = "application/json"
_INTEGER_DIGITS: Final = 18


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
    sent = {"path": path, "query": _read_query(route, query), "header": headers}
    arguments: dict[str, object] = {
        parameter.argument: _value(parameter, sent[parameter.place][parameter.name])
        for parameter in route.parameters
        if parameter.name in sent[parameter.place]
    }
    _check_media_type(body, headers)
    if route.body is not None:
        arguments["body"] = _parse_json(body)
    elif body.strip() not in {b"", b"{}"}:
        # Some clients cannot send a POST without a body, and send an empty object.
        raise Problem(400, f"{route.method} of this path takes no body.")
    return arguments


def _read_query(route: Route, query: bytes) -> dict[str, str]:
    known = [parameter.name for parameter in route.parameters if parameter.place == "query"]
    values: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise Problem(400, f"There is no parameter {name!r} here{_advice(name, known)}")
        if name in values:
            raise Problem(400, f"The parameter {name!r} is given twice.")
        values[name] = value
    return values


def _value(parameter: Parameter, text: str) -> str | int:
    if parameter.schema["type"] == "string":
        return text
    minimum = cast("int", parameter.schema["minimum"])
    if text.isascii() and text.isdecimal() and len(text) <= _INTEGER_DIGITS:
        number = int(text)
        if number >= minimum:
            return number
    raise Problem(
        404 if parameter.place == "path" else 400,
        f"{parameter.name} must be a whole number, {minimum} or more, not {text!r}.",
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
