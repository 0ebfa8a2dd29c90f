from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from nimble_stop.local.admin import PREFIX
from nimble_stop.local.admin.routes import ROUTES
from nimble_stop.models import StreamingSession, member_name
from tests.local.admin.support import DOCUMENT, ask, problems

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble

PATHS = {
    "/": {"get"},
    "/clock": {"get", "post"},
    "/events": {"get"},
    "/faults": {"get", "post", "delete"},
    "/faults/{id}": {"delete"},
    "/health": {"get"},
    "/login": {"post", "delete"},
    "/openapi.json": {"get"},
    "/page/{name}": {"get"},
    "/requests": {"get", "delete"},
    "/sessions": {"get", "post"},
    "/sessions/complete": {"post"},
    "/sessions/{studioId}/{sessionId}": {"get", "delete"},
    "/sessions/{studioId}/{sessionId}/complete": {"post"},
    "/state": {"get", "put", "delete"},
}


def test_the_paths() -> None:
    """The paths and methods are those that are promised, and no others."""
    described = {
        path.removeprefix(PREFIX): item.keys() - {"parameters"}
        for path, item in DOCUMENT["paths"].items()
    }
    assert described == PATHS


def test_it_is_valid() -> None:
    """It is OpenAPI 3.1, by the specification's own schema."""
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_is_served(local: LocalNimble) -> None:
    """What a client reads is what the tests check answers against."""
    assert ask(local, "GET", "/openapi.json").json == DOCUMENT


def test_every_schema_is_one() -> None:
    """The components are JSON Schemas, and whatever they refer to is there."""
    schemas = DOCUMENT["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    referred = json.dumps(DOCUMENT).split('"$ref": "#/components/schemas/')[1:]
    assert {text.partition('"')[0] for text in referred} <= schemas.keys()


def test_every_route_is_described() -> None:
    """Each route is in the document, with its own name and a summary."""
    names = {route.name for route in ROUTES}
    assert len(names) == len(ROUTES)
    for route in ROUTES:
        operation = DOCUMENT["paths"][PREFIX + route.path][route.method.lower()]
        assert operation["operationId"] == route.name
        assert operation["summary"]


@pytest.mark.parametrize("name", ["Session", "NewSession", "Request", "Latency"])
def test_members_are_described(name: str) -> None:
    """The descriptions come from the docstrings of the classes."""
    members = DOCUMENT["components"]["schemas"][name]["properties"]
    described = [member for member in members.values() if "description" in member]
    assert len(described) > len(members) // 2


def test_a_session_has_all_members() -> None:
    """Each member of AWS's session is a member here, with its studio's id and its transition."""
    wire = [member_name(field.name) for field in attrs.fields(StreamingSession)]
    for name in ("Session", "NewSession"):
        properties = DOCUMENT["components"]["schemas"][name]["properties"]
        assert list(properties) == ["studioId", *wire, "transition"]


@pytest.mark.parametrize(
    ("name", "document", "is_valid"),
    [
        ("NewSession", {"studioId": "s", "sessionId": "x"}, True),
        ("NewSession", {"studioId": "s", "sessionId": "x", "tags": None}, True),
        ("NewSession", {"studioId": "s"}, False),
        ("NewSession", {"studioId": "s", "sessionId": "x", "state": "REDY"}, False),
        ("NewSession", {"studioId": "s", "sessionId": "x", "stat": "READY"}, False),
        ("Session", {"studioId": "s", "sessionId": "x", "state": "HIBERNATED"}, True),
        ("Session", {"studioId": "s", "sessionId": "x", "state": "READY", "tags": None}, False),
        ("Fault", {"fault": "Latency", "seconds": 1.5, "times": 2}, True),
        ("Fault", {"fault": "Latency"}, False),
        ("Fault", {"fault": "Latency", "seconds": 1, "code": "X"}, False),
        ("Fault", {"fault": "Late", "seconds": 1}, False),
        ("FaultInForce", {"fault": "ResetAfterChange", "id": 1, "fired": 0, "left": None}, True),
        ("FaultInForce", {"fault": "ResetAfterChange"}, False),
        ("State", {}, True),
        ("State", {"schemaVersion": 2}, False),
        ("Clock", {"now": "2026-11-24T00:00:00Z", "skippedSeconds": 0}, True),
        ("Error", {"message": "No.", "routes": []}, True),
    ],
)
def test_what_is_allowed(name: str, document: object, *, is_valid: bool) -> None:
    """A schema takes what the endpoint takes, and refuses what it refuses."""
    found = problems({"$ref": f"#/components/schemas/{name}"}, document)
    assert (list(found) == []) is is_valid
