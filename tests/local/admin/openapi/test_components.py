from __future__ import annotations

import attrs
import pytest

from nimble_stop.local.admin.openapi.components import SESSION_MEMBERS
from nimble_stop.models import StreamingSession, member_name
from tests.local.admin.support import DOCUMENT, problems


def test_a_session_has_all_members() -> None:
    """Each member of AWS's session is a member here, with its studio's id and its transition."""
    wire = {member_name(field.name) for field in attrs.fields(StreamingSession)}
    assert set(SESSION_MEMBERS) == wire | {"studioId", "transition"}
    for name in ("Session", "NewSession"):
        assert DOCUMENT["components"]["schemas"][name]["properties"].keys() == set(SESSION_MEMBERS)


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
