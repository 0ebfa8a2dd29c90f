"""The named schemas of the admin API: its sessions, faults, requests and the rest."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.admin.schemas import (
    array,
    described,
    fields_schema,
    nullable,
    object_schema,
    reference,
    required_fields,
    summary_of,
)
from nimble_stop.local.api.operation_table import OPERATIONS
from nimble_stop.local.faults.kinds import FAULTS
from nimble_stop.local.faults.rules import FaultRule
from nimble_stop.local.request_record import RequestRecord
from nimble_stop.models import StreamingSession, StreamingSessionState, member_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nimble_stop.local.admin.routing import Schema

__all__ = ["SESSION_MEMBERS", "components"]

SESSION_MEMBERS: Final = (
    "studioId",
    *(member_name(field.name) for field in attrs.fields(StreamingSession)),
)
"""The members of a session: those that it has in AWS's API, and its studio's id."""

_TEXT: Final[Schema] = MappingProxyType({"type": "string"})
_COUNT: Final[Schema] = MappingProxyType({"type": "integer", "minimum": 0})
_TIME: Final[Schema] = MappingProxyType({"type": "string", "format": "date-time"})


def components() -> dict[str, Schema]:
    """Describe everything that has a name; each refers to others by `reference`."""
    kinds = dict(_fault_kinds())
    return {
        "Clock": _clock(),
        "Error": _error(),
        "Fault": {"oneOf": [reference(name) for name in kinds]},
        "FaultInForce": _fault_in_force(kinds),
        "Health": _health(),
        "NewSession": _new_session(),
        "Request": _request(),
        "Session": object_schema(
            _session_members(with_null=False), required=("studioId", "sessionId", "state")
        ),
        **{name: object_schema(*kind) for name, kind in kinds.items()},
    }


def _session_members(*, with_null: bool) -> dict[str, Schema]:
    members = fields_schema(StreamingSession, with_null=with_null)
    studio_id = described(_TEXT, "The studio that it belongs to.")
    return {"studioId": studio_id, **{member_name(name): members[name] for name in members}}


def _new_session() -> Schema:
    members = {
        **_session_members(with_null=True),
        "sessionId": described(_TEXT, "Its id, new in its studio."),
        "state": {
            "type": "string",
            "enum": [str(state) for state in StreamingSessionState],
            "default": "READY",
            "description": "Its state. In a state of transition it is about to leave it.",
        },
    }
    return object_schema(members, required=("studioId", "sessionId"))


def _fault_kinds() -> Iterator[tuple[str, tuple[dict[str, Schema], list[str], str]]]:
    """Describe each kind of fault: its members, those that are required, what it does."""
    rule = fields_schema(FaultRule, with_null=True, left_out=("fault",))
    rule["operation"] = {**rule["operation"], "examples": list(OPERATIONS)}
    for kind in FAULTS:
        name = kind.__name__
        members = {
            "fault": {"type": "string", "const": name},
            **fields_schema(kind, with_null=True),
            **rule,
        }
        yield name, (members, ["fault", *required_fields(kind)], summary_of(kind))


def _fault_in_force(kinds: Mapping[str, tuple[dict[str, Schema], list[str], str]]) -> Schema:
    progress = {
        "id": described({"type": "integer", "minimum": 1}, "Its number; DELETE takes it."),
        "fired": described(_COUNT, "How often it has happened."),
        "left": described(
            nullable(_COUNT), "How often it may still happen; null for any number of times."
        ),
    }
    return {"oneOf": [object_schema({**progress, **members}) for members, _, _ in kinds.values()]}


def _request() -> Schema:
    members = fields_schema(RequestRecord, with_null=True)
    return object_schema({member_name(name): members[name] for name in members})


def _clock() -> Schema:
    ahead = "How far the sessions' time is ahead of the server's, in seconds."
    return object_schema(
        {
            "now": described(_TIME, "The sessions' time, UTC."),
            "skipped": described({"type": "number", "minimum": 0}, ahead),
        }
    )


def _error() -> Schema:
    routes = described(array(_TEXT), "On 404 for a path: the routes that are most like it.")
    return {
        "type": "object",
        "properties": {
            "message": described(_TEXT, "What is wrong, and what is allowed."),
            "routes": routes,
        },
        "required": ["message"],
    }


def _health() -> Schema:
    return object_schema(
        {
            "status": described({"type": "string", "const": "ok"}, "It serves."),
            "name": {"type": "string", "const": "nimble-stop"},
            "version": described(_TEXT, "The package's version."),
            "uptimeSeconds": described({"type": "number"}, "How long it has served."),
            "store": described(
                {"type": "string", "enum": ["ok", "busy"]},
                "Whether the store answers at once, or another process holds it.",
            ),
        }
    )
