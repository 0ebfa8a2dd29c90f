"""Reading what a request to the admin API carries, against what its route declares.

This module owns the rule that nothing is ignored: an unknown parameter or member is an error that
names it and suggests a known one.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl

from nimble_stop.local.admin.replies import Problem
from nimble_stop.local.admin.routing import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nimble_stop.local.admin.routing import Parameter, Route

__all__ = ["check_members", "read_call", "read_object", "read_objects"]

_JSON: Final = "application/json"
_INTEGER_DIGITS: Final = 18


def read_call(
    route: Route,
    path: Mapping[str, str],
    *,
    query: bytes,
    headers: Mapping[str, str],
    body: bytes,
) -> Call:
    """Read a request.

    Args:
        route: Its route.
        path: The values of the path's variables.
        query: The query as it was sent, without the question mark.
        headers: The headers, whatever the case of their names.
        body: The whole body.

    Raises:
        Problem: It holds something that the route does not take.
    """
    return Call(
        path=path,
        parameters=_read_parameters(route, query, headers),
        body=_read_body(route, headers, body),
    )


def _read_parameters(
    route: Route, query: bytes, headers: Mapping[str, str]
) -> dict[str, str | int]:
    known = {parameter.name: parameter for parameter in route.parameters if not parameter.header}
    values: dict[str, str | int] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise Problem(400, f"There is no parameter {name!r} here{_advice(name, known)}")
        if name in values:
            raise Problem(400, f"The parameter {name!r} is given twice.")
        values[name] = _parameter_value(known[name], value)
    for parameter in route.parameters:
        if parameter.header and parameter.name in headers:
            values[parameter.name] = _parameter_value(parameter, headers[parameter.name])
    return values


def _parameter_value(parameter: Parameter, value: str) -> str | int:
    if parameter.schema["type"] == "string":
        return value
    minimum = cast("int", parameter.schema.get("minimum", 0))
    if value.isascii() and value.isdecimal() and len(value) <= _INTEGER_DIGITS:
        number = int(value)
        if number >= minimum:
            return number
    raise Problem(
        400, f"{parameter.name} must be a whole number, {minimum} or more, not {value!r}."
    )


def _read_body(route: Route, headers: Mapping[str, str], body: bytes) -> object:
    # Also without a body: a form of another page can be empty.
    media_type = headers.get("Content-Type", "")
    if (body or media_type) and not _is_json(media_type):
        raise Problem(
            415,
            f"A body must be sent with 'Content-Type: {_JSON}', not {media_type or 'without one'}.",
        )
    if "Content-Encoding" in headers:
        raise Problem(415, "A body must not be encoded.")
    if route.body is None:
        # Some clients cannot send a POST without a body.
        if body.strip() not in {b"", b"{}"}:
            raise Problem(400, f"{route.method} of this path takes no body.")
        return None
    return _parse_json(body)


def _is_json(media_type: str) -> bool:
    kind, _, parameters = media_type.lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    return kind.strip() == _JSON and charset in {"", "charset=utf-8"}


def _parse_json(body: bytes) -> object:
    if not body:
        raise Problem(400, "A JSON body is needed here, and there is none.")
    try:
        text = body.decode()
        document: object = json.loads(text, parse_constant=_refuse_constant)
        if "\\u" in text:
            # A lone surrogate can be written in JSON and nowhere else.
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"The body is not JSON in UTF-8: {error}.") from error
    return document


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON's")


def read_objects(document: object) -> list[dict[str, object]]:
    """Read one object, or a list of them.

    Raises:
        Problem: It is something else.
    """
    entries = cast("list[object]", document if isinstance(document, list) else [document])
    if not all(isinstance(entry, dict) for entry in entries):
        raise Problem(400, "The body must be a JSON object or a list of objects.")
    return cast("list[dict[str, object]]", entries)


def read_object(document: object) -> dict[str, object]:
    """Read an object.

    Raises:
        Problem: It is something else.
    """
    if not isinstance(document, dict):
        raise Problem(400, "The body must be a JSON object.")
    return cast("dict[str, object]", document)


def check_members(document: object, known: Iterable[str]) -> dict[str, object]:
    """Read an object of known members.

    Raises:
        Problem: It is no object, or a member is not known; the message names it.
    """
    members = read_object(document)
    for name in members:
        if name not in known:
            raise Problem(400, f"There is no member {name!r}{_advice(name, known)}")
    return members


def _advice(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(name, names, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    return f"{meant} Allowed: {', '.join(names) or 'none'}."
