"""The named schemas of the admin API: its sessions, faults, requests and the rest."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local.admin.openapi.schemas import (
    COUNT,
    COUNT_OR_ZERO,
    array,
    described,
    fields_schema,
    nullable,
    object_schema,
    reference,
    required_fields,
    summary_of,
)
from nimble_stop.local.api.exchange import RequestRecord
from nimble_stop.local.api.operation_table import OPERATIONS
from nimble_stop.local.faults.points import kinds_of_faults
from nimble_stop.local.faults.rules import FaultRule
from nimble_stop.local.studio.document import DOCUMENT_VERSION
from nimble_stop.models import StreamingSession, StreamingSessionState, member_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nimble_stop.local.admin.routing import Schema

__all__ = ["SESSION_MEMBERS", "components"]

SESSION_MEMBERS: Final = (
    "studioId",
    *(member_name(field.name) for field in attrs.fields(StreamingSession)),
    "transition",
)
"""The members of a session: those of AWS's API, its studio's id, and its transition."""

_TEXT: Final[Schema] = MappingProxyType({"type": "string"})
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
        "NewSession": object_schema(_new_session_members(), required=("studioId", "sessionId")),
        "Request": _request(),
        "Session": object_schema(
            _session_members(with_null=False), required=("studioId", "sessionId", "state")
        ),
        "State": _state(),
        **{name: object_schema(*kind) for name, kind in kinds.items()},
    }


def _session_members(*, with_null: bool) -> dict[str, Schema]:
    members = fields_schema(StreamingSession, with_null=with_null)
    return {
        "studioId": described(_TEXT, "The studio that it belongs to."),
        **{member_name(name): members[name] for name in members},
        "transition": _transition(),
    }


def _transition() -> Schema:
    members: dict[str, Schema] = {
        "state": described(_TEXT, "The next state."),
        "statusCode": described(_TEXT, "The status code that goes with it."),
        "statusMessage": described(_TEXT, "The status message that goes with it."),
        "due": described(
            nullable({"type": "number"}),
            "When, in seconds since 1970 UTC of the sessions' time; null waits for `complete`.",
        ),
    }
    return object_schema(members, description="What a session in transition turns into.")


def _new_session_members() -> dict[str, Schema]:
    return {
        **_session_members(with_null=True),
        "sessionId": described(_TEXT, "Its id, new in its studio."),
        "state": {
            "type": "string",
            "enum": [str(state) for state in StreamingSessionState],
            "default": "READY",
            "description": "Its state. In a state of transition it is about to leave it.",
        },
    }


def _state() -> Schema:
    skipped = {"type": "number", "minimum": 0}
    return object_schema(
        {
            "schemaVersion": {"type": "integer", "const": DOCUMENT_VERSION},
            "clock": object_schema({"skippedSeconds": skipped}, required=()),
            "sessions": array(reference("NewSession")),
            "faults": array(reference("Fault")),
        },
        required=(),
    )


def _fault_kinds() -> Iterator[tuple[str, tuple[dict[str, Schema], list[str], str]]]:
    """Describe each kind of fault: its members, those that are required, what it does."""
    rule = fields_schema(FaultRule, with_null=True, left_out=("fault",))
    rule["operation"] = {**rule["operation"], "examples": list(OPERATIONS)}
    for kind in kinds_of_faults():
        name = kind.__name__
        members = {
            "fault": {"type": "string", "const": name},
            **fields_schema(kind, with_null=True),
            **rule,
        }
        yield name, (members, ["fault", *required_fields(kind)], summary_of(kind))


def _fault_in_force(kinds: Mapping[str, tuple[dict[str, Schema], list[str], str]]) -> Schema:
    progress = {
        "id": described(COUNT, "Its number; DELETE takes it."),
        "fired": described(COUNT_OR_ZERO, "How often it has happened."),
        "left": described(
            nullable(COUNT_OR_ZERO), "How often it may still happen; null for any number of times."
        ),
    }
    return {
        "oneOf": [
            object_schema(
                {**progress, **members}, required=(*progress, *required), description=text
            )
            for members, required, text in kinds.values()
        ]
    }


def _request() -> Schema:
    members = fields_schema(RequestRecord, with_null=True)
    return object_schema({member_name(name): members[name] for name in members})


def _clock() -> Schema:
    ahead = "How far the sessions' time is ahead of the server's, in seconds."
    return object_schema(
        {
            "now": described(_TIME, "The sessions' time, UTC."),
            "skippedSeconds": described({"type": "number", "minimum": 0}, ahead),
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
                {"type": "string", "enum": ["ok", "busy", "failed"]},
                "Whether the store answers at once, is in use by another process, or is broken.",
            ),
        }
    )
