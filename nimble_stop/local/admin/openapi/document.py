"""The OpenAPI document of the admin API, made of the routes that are dispatched.

See https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from nimble_stop._version import __version__
from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.openapi.components import components
from nimble_stop.local.admin.openapi.schemas import reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nimble_stop.local.admin.routing import Parameter, Route

__all__ = ["openapi_document"]

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
    """Describe routes.

    Args:
        routes: The routes that are dispatched.
    """
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        item = paths.setdefault(PREFIX + route.path, {})
        variables = list(_path_parameters(route))
        if variables:
            item["parameters"] = variables
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
            "schemas": components(),
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
    operation: dict[str, object] = {"operationId": route.name, "summary": route.summary}
    if route.description:
        operation["description"] = route.description
    if route.parameters:
        operation["parameters"] = [_parameter(parameter) for parameter in route.parameters]
    if route.body is not None:
        content = {"application/json": {"schema": route.body}}
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = dict(_responses(route))
    if route.is_public:
        operation["security"] = []
    return operation


def _path_parameters(route: Route) -> Iterator[dict[str, object]]:
    for name in re.findall(r"\{(\w+)\}", route.path):
        schema = {"type": "integer"} if name == "id" else {"type": "string"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _parameter(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "in": "header" if parameter.header else "query",
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _responses(route: Route) -> Iterator[tuple[str, dict[str, object]]]:
    success: dict[str, object] = {"description": HTTPStatus(route.status).phrase}
    if route.returns is not None:
        success["content"] = {route.media_type: {"schema": route.returns}}
    yield str(int(route.status)), success
    for status in sorted({*_common_errors(route), *route.errors}):
        content = {"application/json": {"schema": reference("Error")}}
        yield str(status), {"description": _ERRORS[status], "content": content}


def _common_errors(route: Route) -> Iterator[int]:
    yield from (400, 403)
    if not route.is_public:
        yield 401
    if route.may_wait:
        yield 503
    # Also where no body is taken: its type is checked all the same.
    yield 415
    if route.method in {"POST", "PUT", "DELETE"}:
        yield 413
