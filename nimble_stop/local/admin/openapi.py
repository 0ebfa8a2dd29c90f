"""The OpenAPI document of the admin API, made of its routes and of the classes that they show.

See https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import inspect
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from nimble_stop._version import __version__
from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.schemas import (
    COUNT,
    COUNT_OR_ZERO,
    array,
    described,
    fields_schema,
    nullable,
    object_schema,
    plain_text,
    reference,
)
from nimble_stop.local.api.exchange import RequestRecord
from nimble_stop.local.api.operation_table import OPERATIONS
from nimble_stop.local.faults.rules import FaultRule, kinds_of_faults
from nimble_stop.local.studio.document import DOCUMENT_VERSION
from nimble_stop.models import StreamingSession, StreamingSessionState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nimble_stop.local.admin.routing import Parameter, Route
    from nimble_stop.local.admin.schemas import Schema

_ERRORS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "The request holds something that is not allowed.",
        401: "The admin token is missing or wrong.",
        403: "The host is not this endpoint's, or another site sent the request.",
        404: "There is no such thing.",
        409: "It does not go with what there is.",
        413: "The body is too large.",
        415: "The body is not `application/json`.",
        503: "The store was busy for too long, or there are too many readers.",
    }
)
_DESCRIPTION: Final = (
    "Seeds, steers and watches the embedded endpoint, from any language. "
    "Every error is a JSON object whose `message` says what is wrong and what is allowed."
)


def openapi_document(routes: Sequence[Route]) -> dict[str, object]:
    """Describe routes."""
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        item = paths.setdefault(PREFIX + route.path, {})
        if "{" in route.path:
            item["parameters"] = _parameters(route, "path")
        item[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nimble-stop admin API",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The endpoint that serves this document."}],
        "security": [{}, {"bearer": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": _components(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The admin token, when the endpoint has one.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "nimble-stop-PORT",
                    "description": "What `POST login` sets, for browsers.",
                },
            },
        },
    }


def _operation(route: Route) -> dict[str, object]:
    summary, _, rest = (inspect.getdoc(route.action) or "").partition("\n\n")
    description = rest.partition("Args:\n")[0].strip()
    operation: dict[str, object] = {
        "operationId": route.name,
        "summary": plain_text(summary).removesuffix("."),
        **({"description": description} if description else {}),
    }
    if parameters := _parameters(route, "query", "header"):
        operation["parameters"] = parameters
    if route.body is not None:
        content = {"application/json": {"schema": route.body}}
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = dict(_responses(route))
    if route.is_public:
        operation["security"] = []
    return operation


def _parameters(route: Route, *places: str) -> list[Parameter]:
    return [parameter for parameter in route.parameters.values() if parameter["in"] in places]


def _responses(route: Route) -> Iterator[tuple[str, dict[str, object]]]:
    success: dict[str, object] = {"description": HTTPStatus(route.status).phrase}
    if isinstance(route.returns, str):
        success["content"] = {route.returns: {"schema": _TEXT}}
    elif route.returns is not None:
        success["content"] = {"application/json": {"schema": route.returns}}
    yield str(route.status), success
    # 415 also where no body is taken: its type is checked all the same.
    errors = {400, 403, 415, *route.errors}
    if not route.is_public:
        errors.add(401)
    if route.may_wait:
        errors.add(503)
    if route.method != "GET":
        errors.add(413)
    for status in sorted(errors):
        content = {"application/json": {"schema": reference("Error")}}
        yield str(status), {"description": _ERRORS[status], "content": content}


_TEXT: Final[Schema] = {"type": "string"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_SECONDS: Final[Schema] = {"type": "number", "minimum": 0}


def _components() -> dict[str, Schema]:
    """Describe everything that has a name; each refers to others by `reference`."""
    return {
        **_sessions(),
        **_faults(),
        "Request": object_schema(fields_schema(RequestRecord, with_null=True)),
        "State": object_schema(
            {
                "schemaVersion": {"type": "integer", "const": DOCUMENT_VERSION},
                "clock": object_schema({"skippedSeconds": _SECONDS}, required=()),
                "sessions": array(reference("NewSession")),
                "faults": array(reference("Fault")),
            },
            required=(),
        ),
        "Clock": object_schema(
            {
                "now": described(_TIME, "The sessions' time, UTC."),
                "skippedSeconds": described(
                    _SECONDS, "How far the sessions' time is ahead of the server's, in seconds."
                ),
            }
        ),
        "Health": object_schema(
            {
                "status": described({"type": "string", "const": "ok"}, "It serves."),
                "name": {"type": "string", "const": "nimble-stop"},
                "version": described(_TEXT, "The package's version."),
                "uptimeSeconds": described({"type": "number"}, "How long it has served."),
                "store": described(
                    {"type": "string", "enum": ["ok", "busy", "failed"]},
                    "Whether the store answers at once, is in use by another process, or is "
                    "broken.",
                ),
            }
        ),
        "Error": {
            "type": "object",
            "properties": {
                "message": described(_TEXT, "What is wrong, and what is allowed."),
                "routes": described(
                    array(_TEXT), "On 404 for a path: the routes that are most like it."
                ),
            },
            "required": ["message"],
        },
    }


def _sessions() -> dict[str, Schema]:
    """Describe a session as it is answered, and as it is given, where null is allowed."""
    due = "When, in seconds since 1970 UTC of the sessions' time; null waits for `complete`."
    transition = object_schema(
        {
            "state": described(_TEXT, "The next state."),
            "statusCode": described(_TEXT, "The status code that goes with it."),
            "statusMessage": described(_TEXT, "The status message that goes with it."),
            "due": described(nullable({"type": "number"}), due),
        },
        description="What a session in transition turns into.",
    )

    def members(*, with_null: bool) -> dict[str, Schema]:
        return {
            "studioId": described(_TEXT, "The studio that it belongs to."),
            **fields_schema(StreamingSession, with_null=with_null),
            "transition": transition,
        }

    given = {
        **members(with_null=True),
        "sessionId": described(_TEXT, "Its id, new in its studio."),
        "state": {
            "type": "string",
            "enum": [str(state) for state in StreamingSessionState],
            "default": "READY",
            "description": "Its state. In a state of transition it is about to leave it.",
        },
    }
    identity = ("studioId", "sessionId")
    return {
        "Session": object_schema(members(with_null=False), (*identity, "state")),
        "NewSession": object_schema(given, identity),
    }


def _faults() -> dict[str, Schema]:
    """Describe each kind of fault, one of them, and one that is in force."""
    rule = fields_schema(FaultRule, with_null=True, spell=str)
    del rule["fault"]
    rule["operation"] = {**rule["operation"], "examples": list(OPERATIONS)}
    progress = {
        "id": described(COUNT, "Its number; DELETE takes it."),
        "fired": described(COUNT_OR_ZERO, "How often it has happened."),
        "left": described(
            nullable(COUNT_OR_ZERO), "How often it may still happen; null for any number of times."
        ),
    }
    kinds: dict[str, Schema] = {}
    in_force: list[Schema] = []
    for kind in kinds_of_faults():
        own = fields_schema(kind, with_null=True, spell=str)
        members = {"fault": {"type": "string", "const": kind.__name__}, **own, **rule}
        arguments = inspect.signature(kind).parameters.values()
        needed = [argument.name for argument in arguments if argument.default is argument.empty]
        required = ["fault", *needed]
        summary = plain_text((kind.__doc__ or "").partition("\n\n")[0])
        kinds[kind.__name__] = object_schema(members, required, summary)
        in_force.append(object_schema({**progress, **members}, [*progress, *required], summary))
    return {
        **kinds,
        "Fault": {"oneOf": [reference(name) for name in kinds]},
        "FaultInForce": {"oneOf": in_force},
    }
