"""A client of the admin API that checks every answer against the OpenAPI document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.openapi import openapi_document
from nimble_stop.local.admin.routes import ROUTES
from nimble_stop.local.admin.routing import find_route
from nimble_stop.local.api.request_target import parse_target
from tests.local.support import Reply, send

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nimble_stop.local import LocalNimble

# As a client sees it: JSON, and nothing of Python's.
DOCUMENT: dict[str, Any] = json.loads(json.dumps(openapi_document(ROUTES)))


def ask(
    local: LocalNimble,
    method: str,
    path: str,
    document: object = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send a request and check that its answer is one that is documented."""
    body = None if document is None else json.dumps(document).encode()
    content_type = {} if body is None else {"Content-Type": "application/json"}
    reply = send(
        local, method, PREFIX + path, body=body, headers={**content_type, **(headers or {})}
    )
    check_documented(method, path, reply)
    return reply


def check_documented(method: str, path: str, reply: Reply) -> None:
    """Check an answer against the document."""
    target = parse_target(path.encode())
    route, _ = find_route(ROUTES, method, target.segments)
    responses = DOCUMENT["paths"][PREFIX + route.path][route.method.lower()]["responses"]
    response = responses[str(reply.status)]
    if "content" not in response:
        assert reply.body == b""
        return
    ((media_type, content),) = response["content"].items()
    given = reply.headers["content-type"].partition(";")[0]
    assert given == media_type or (media_type == "text/*" and given.startswith("text/"))
    if given == "application/json":
        assert list(problems(content["schema"], reply.json)) == []


def problems(schema: object, document: object) -> Iterator[str]:
    """List what is wrong with a document by a schema, which may refer to components."""
    whole = {"allOf": [schema], "components": DOCUMENT["components"]}
    # Its types are not known where they are those of another package.
    validator: Any = Draft202012Validator(whole, format_checker=FormatChecker())
    for error in validator.iter_errors(document):
        yield error.message
