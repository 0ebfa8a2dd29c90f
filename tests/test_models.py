from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from nimble_stop import models
from nimble_stop.models import (
    AutomaticTerminationMode,
    SessionBackupMode,
    SessionPersistenceMode,
    StreamingSession,
    StreamingSessionState,
    StreamingSessionStatusCode,
    VolumeConfiguration,
    VolumeRetentionMode,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

# AWS's own lists, from the API reference.
DOCUMENTED: dict[type[StrEnum], str] = {
    AutomaticTerminationMode: "DEACTIVATED ACTIVATED",
    SessionBackupMode: "AUTOMATIC DEACTIVATED",
    SessionPersistenceMode: "DEACTIVATED ACTIVATED",
    VolumeRetentionMode: "RETAIN DELETE",
    StreamingSessionState: (
        "CREATE_IN_PROGRESS DELETE_IN_PROGRESS READY DELETED CREATE_FAILED DELETE_FAILED "
        "STOP_IN_PROGRESS START_IN_PROGRESS STOPPED STOP_FAILED START_FAILED"
    ),
    StreamingSessionStatusCode: (
        "STREAMING_SESSION_READY STREAMING_SESSION_DELETED STREAMING_SESSION_CREATE_IN_PROGRESS "
        "STREAMING_SESSION_DELETE_IN_PROGRESS INTERNAL_ERROR INSUFFICIENT_CAPACITY "
        "ACTIVE_DIRECTORY_DOMAIN_JOIN_ERROR NETWORK_CONNECTION_ERROR INITIALIZATION_SCRIPT_ERROR "
        "DECRYPT_STREAMING_IMAGE_ERROR NETWORK_INTERFACE_ERROR STREAMING_SESSION_STOPPED "
        "STREAMING_SESSION_STARTED STREAMING_SESSION_STOP_IN_PROGRESS "
        "STREAMING_SESSION_START_IN_PROGRESS AMI_VALIDATION_ERROR"
    ),
}
ENUMS = list(DOCUMENTED)
VALUES = [
    (enum, value) for enum, values in DOCUMENTED.items() for value in [*values.split(), "NEW"]
]
MEMBERS = """
    arn automatic_termination_mode backup_mode created_at created_by ec2_instance_type
    launch_profile_id max_backups_to_retain owned_by session_id session_persistence_mode
    started_at started_by started_from_backup_id state status_code status_message stop_at
    stopped_at stopped_by streaming_image_id tags terminate_at updated_at updated_by
    volume_configuration volume_retention_mode
"""
MOMENT = datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC)


def full_session() -> StreamingSession:
    """Make a session with every member."""
    return StreamingSession(
        arn="arn:aws:nimble:us-west-2:123456789012:streaming-session/session-1",
        automatic_termination_mode=AutomaticTerminationMode.ACTIVATED,
        backup_mode=SessionBackupMode.AUTOMATIC,
        created_at=MOMENT,
        created_by="alice",
        ec2_instance_type="g5.2xlarge",
        launch_profile_id="profile-1",
        max_backups_to_retain=3,
        owned_by="bob",
        session_id="session-1",
        session_persistence_mode=SessionPersistenceMode.ACTIVATED,
        started_at=MOMENT,
        started_by="bob",
        started_from_backup_id="backup-1",
        state=StreamingSessionState.STOP_IN_PROGRESS,
        status_code=StreamingSessionStatusCode.STREAMING_SESSION_STOP_IN_PROGRESS,
        status_message="Stopping.",
        stop_at=MOMENT,
        stopped_at=MOMENT,
        stopped_by="alice",
        streaming_image_id="image-1",
        tags={"show": "Großer Film"},
        terminate_at=MOMENT,
        updated_at=MOMENT,
        updated_by="alice",
        volume_configuration=VolumeConfiguration(iops=3000, size=500, throughput=125),
        volume_retention_mode=VolumeRetentionMode.RETAIN,
    )


@pytest.mark.parametrize("enum", ENUMS)
def test_documented_values(enum: type[StrEnum]) -> None:
    """Each enumeration has AWS's values, under AWS's names."""
    assert [member.value for member in enum] == DOCUMENTED[enum].split()
    assert [member.name for member in enum] == DOCUMENTED[enum].split()


@pytest.mark.parametrize(("enum", "value"), VALUES)
def test_enum_is_its_string(enum: type[StrEnum], value: str) -> None:
    """A member, known or not, prints and behaves like its string, and remembers its class."""
    member = enum(value)

    assert isinstance(member, enum)
    assert member == value
    assert hash(member) == hash(value)
    assert member == enum(value)
    assert (member.name, member.value) == (value, value)
    assert str(member) == f"{member}" == f"{member!s:}" == value
    assert f"{member:>50}" == value.rjust(50)
    assert json.dumps({member: member}) == json.dumps({value: value})
    assert {value: 1}[member] == 1
    assert value in repr(member)
    assert enum.__name__ in repr(member)


COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *(
        (lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol)))  # noqa: S301
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ),
]


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize(("enum", "value"), VALUES)
def test_enum_copies(enum: type[StrEnum], value: str, duplicate: Callable[[Any], Any]) -> None:
    """A member, known or not, copies and pickles to an equal one of the same class."""
    copied = duplicate(enum(value))

    assert type(copied) is enum
    assert copied == value
    assert copied.name == value


def test_enum_matches() -> None:
    """Known and unknown values work in `match`, by member and by string."""

    def describe(state: str) -> str:
        match state:
            case StreamingSessionState.STOPPED:
                return "stopped"
            case "HIBERNATED":
                return "new"
            case _:
                return "other"

    assert describe(StreamingSessionState("STOPPED")) == "stopped"
    assert describe(StreamingSessionState("HIBERNATED")) == "new"
    assert describe(StreamingSessionState.READY) == "other"


@pytest.mark.parametrize("value", [1, None, b"READY", 1.5, object()])
def test_enum_takes_strings_only(value: object) -> None:
    """What is no string is no value of an enumeration."""
    with pytest.raises(ValueError, match="is not a valid"):
        StreamingSessionState(value)  # type: ignore[arg-type]


def test_unknown_value_joins_no_list() -> None:
    """An unknown value does not become a member for everybody else."""
    StreamingSessionState("HIBERNATED")

    assert "HIBERNATED" not in StreamingSessionState.__members__
    assert "HIBERNATED" not in list(StreamingSessionState)


def test_session_members() -> None:
    """A session has the API's 27 members in snake_case, all optional."""
    public = [field.name for field in attrs.fields(StreamingSession) if field.name[0] != "_"]

    assert public == MEMBERS.split()
    assert len(public) == 27
    assert all(getattr(StreamingSession(), name) is None for name in public)


@pytest.mark.parametrize("model", [full_session(), VolumeConfiguration(size=500)])
def test_frozen_and_slotted(model: StreamingSession | VolumeConfiguration) -> None:
    """A model cannot be changed, by no known or new name."""
    for name in ("arn", "size", "new_name"):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(model, name, "x")
    assert not hasattr(model, "__dict__")


def test_tags_are_copied() -> None:
    """A session's tags do not change with the mapping that they were made of."""
    source = {"a": "b"}
    session = StreamingSession(tags=source)
    source["c"] = "d"

    assert session.tags == {"a": "b"}


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("session", [full_session(), StreamingSession()])
def test_session_copies(session: StreamingSession, duplicate: Callable[[Any], Any]) -> None:
    """A session copies and pickles to an equal one, with its wire form."""
    copied = duplicate(session)

    assert copied == session
    assert hash(copied) == hash(session)
    assert copied.to_dict() == session.to_dict()


def test_equality_and_hash() -> None:
    """Sessions are equal when their members are, and work as keys."""
    assert full_session() == full_session()
    assert len({full_session(), full_session(), StreamingSession()}) == 2
    assert full_session() != attrs.evolve(full_session(), tags={"show": "another"})
    assert full_session() != attrs.evolve(full_session(), updated_by="carol")


def test_repr_shows_what_is_there() -> None:
    """A repr shows the members that the service sent, with their plain values, and no others."""
    session = StreamingSession(
        session_id="session-1",
        state=StreamingSessionState("HIBERNATED"),
        tags={"a": "b"},
        volume_configuration=VolumeConfiguration(size=500),
    )

    assert repr(session) == (
        "StreamingSession(session_id='session-1', state='HIBERNATED', tags={'a': 'b'}, "
        "volume_configuration=VolumeConfiguration(iops=None, size=500, throughput=None))"
    )
    assert repr(StreamingSession()) == "StreamingSession()"


def test_evolve_changes_the_wire_form() -> None:
    """A session that was evolved gives its new values, times included."""
    later = MOMENT.replace(year=2027)
    session = attrs.evolve(
        full_session(), stopped_at=later, stop_at=None, state=StreamingSessionState.STOPPED
    )

    wire = session.to_dict()

    assert wire["stoppedAt"] == "2027-11-23T01:02:03.456789Z"
    assert wire["updatedAt"] == "2026-11-23T01:02:03.456789Z"
    assert wire["state"] == "STOPPED"
    assert "stopAt" not in wire


def test_to_dict_is_new_and_plain() -> None:
    """`to_dict()` gives a new dictionary of plain JSON values."""
    session = full_session()
    wire = session.to_dict()
    tags = wire["tags"]
    assert isinstance(tags, dict)
    tags["changed"] = "yes"
    wire.clear()

    assert session.to_dict()["tags"] == {"show": "Großer Film"}
    again = session.to_dict()
    assert json.loads(json.dumps(again)) == again
    assert all(type(value) in {str, int, dict} for value in again.values())


def test_all_is_complete() -> None:
    """`__all__` lists every public class of the module, sorted."""
    public = [
        name
        for name, value in vars(models).items()
        if isinstance(value, type) and value.__module__ == models.__name__ and name[0] != "_"
    ]
    assert sorted(public) == models.__all__
