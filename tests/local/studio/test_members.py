from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest

from nimble_stop.local.studio.members import check_identifier, members_to_wire, state_to_wire
from nimble_stop.models import (
    StreamingSession,
    StreamingSessionState,
    VolumeConfiguration,
    VolumeRetentionMode,
)


def test_every_member_of_a_session_can_be_given() -> None:
    """Whatever the model has can be set, but for its private part and what is given by itself."""
    names = [field.name for field in attrs.fields(StreamingSession) if field.eq]
    wire = members_to_wire({name: None for name in names if name not in {"session_id", "state"}})
    assert len(wire) == 25
    assert {"ec2InstanceType", "volumeConfiguration", "updatedAt"} <= wire.keys()


def test_both_kinds_of_names() -> None:
    """Members are accepted in snake_case and by their wire names."""
    assert members_to_wire({"owned_by": "a", "ec2InstanceType": "b", "backup_mode": None}) == {
        "ownedBy": "a",
        "ec2InstanceType": "b",
        "backupMode": None,
    }


def test_values_are_brought_into_wire_form() -> None:
    """Models, enums and datetimes become JSON."""
    east = timezone(timedelta(hours=1))
    assert members_to_wire(
        {
            "volume_configuration": VolumeConfiguration(iops=3000),
            "volume_retention_mode": VolumeRetentionMode.DELETE,
            "stop_at": datetime(2026, 1, 1, 1, tzinfo=east),
            "terminate_at": "2026-01-01T00:00:00.5Z",
            "tags": {"a": "b"},
            "max_backups_to_retain": 3,
            "status_code": "INTERNAL_ERROR",
        }
    ) == {
        "volumeConfiguration": {"iops": 3000},
        "volumeRetentionMode": "DELETE",
        "stopAt": "2026-01-01T00:00:00Z",
        "terminateAt": "2026-01-01T00:00:00.5Z",
        "tags": {"a": "b"},
        "maxBackupsToRetain": 3,
        "statusCode": "INTERNAL_ERROR",
    }


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"ownedby": "x"}, "no member 'ownedby'.*owned_by"),
        ({"session_id": "x"}, "no member 'session_id'"),
        ({"owned_by": "a", "ownedBy": "b"}, "given twice"),
        ({"owned_by": 5}, "owned_by must be a string"),
        ({"created_at": 5}, "created_at must be a datetime"),
        ({"tags": ["a"]}, "tags must be a mapping"),
        ({"tags": {"a": 1}}, "tags must be a mapping"),
        ({"max_backups_to_retain": True}, "must be a whole number"),
        ({"max_backups_to_retain": "1"}, "must be a whole number"),
        ({"volume_configuration": 1}, "must be a VolumeConfiguration"),
        ({"volume_configuration": {"speed": 1}}, "no member 'speed'"),
        ({"volume_configuration": {"iops": "1"}}, "iops must be a whole number"),
    ],
)
def test_wrong_types(members: dict[str, object], said: str) -> None:
    """A name or a type that does not exist is a TypeError that says which."""
    with pytest.raises(TypeError, match=said):
        members_to_wire(members)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"volume_retention_mode": "KEEP"}, "volume_retention_mode must be one of RETAIN, DELETE"),
        ({"created_at": "yesterday"}, "created_at is no time: 'yesterday'"),
        ({"created_at": "2026-01-01T00:00:00"}, "not an RFC 3339 timestamp"),
        ({"created_at": "2026-01-01"}, "not an RFC 3339 timestamp"),
        ({"stopAt": "2026-02-30T00:00:00Z"}, "stop_at is no time: day is out of range"),
        ({"created_at": datetime(2026, 1, 1)}, "aware"),  # noqa: DTZ001  # the naive one is the point
    ],
)
def test_wrong_values(members: dict[str, object], said: str) -> None:
    """A value that a member cannot have is a ValueError that says what it can."""
    with pytest.raises(ValueError, match=said):
        members_to_wire(members)


def test_states() -> None:
    """A state must be one of AWS's, unless another one is clearly meant."""
    assert state_to_wire("READY") == "READY"
    assert state_to_wire(StreamingSessionState("HIBERNATED")) == "HIBERNATED"
    with pytest.raises(ValueError, match=r"state must be one of .*STOPPED.*not 'REDY'"):
        state_to_wire("REDY")


def test_an_early_time_is_written_with_four_digits() -> None:
    """The year of a time has four digits, as clients expect it."""
    assert members_to_wire({"created_at": datetime(1, 1, 1, tzinfo=UTC)}) == {
        "createdAt": "0001-01-01T00:00:00Z"
    }


@pytest.mark.parametrize("identifier", ["", ".", "..", "\ud800"])
def test_ids_that_no_client_can_send(identifier: str) -> None:
    """An id that cannot stand in a path is refused."""
    with pytest.raises(ValueError, match="session_id cannot be sent in a path"):
        check_identifier("session_id", identifier)


def test_ids_are_strings() -> None:
    """Any other string is an id, and anything else is a TypeError."""
    assert check_identifier("studio_id", "../x 猫") == "../x 猫"
    with pytest.raises(TypeError, match="studio_id must be a string"):
        check_identifier("studio_id", 5)
