from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from nimble_stop._api.converter import (
    _explain,
    parse_timestamp,
    structure_session,
)
from nimble_stop.models import (
    StreamingSession,
    StreamingSessionState,
    VolumeConfiguration,
    format_timestamp,
    member_name,
)
from tests.support.strategies import JSON, WIRE_SESSIONS
from tests.test_models import full_session

MOMENT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
# AWS's own spelling of the 27 members.
WIRE_NAMES = """
    arn automaticTerminationMode backupMode createdAt createdBy ec2InstanceType launchProfileId
    maxBackupsToRetain ownedBy sessionId sessionPersistenceMode startedAt startedBy
    startedFromBackupId state statusCode statusMessage stopAt stoppedAt stoppedBy streamingImageId
    tags terminateAt updatedAt updatedBy volumeConfiguration volumeRetentionMode
"""
TEXTS = [
    name
    for name in WIRE_NAMES.split()
    if not name.endswith("At") and name not in {"tags", "volumeConfiguration", "maxBackupsToRetain"}
]
TIMES = [name for name in WIRE_NAMES.split() if name.endswith("At")]


def refusal(wire: object) -> ValueError | None:
    """Say why a value is no session; None when it is one."""
    try:
        structure_session(wire)
    except ValueError as error:
        return error
    return None


def test_wire_names() -> None:
    """Every member has the API's name on the wire."""
    public = [field.name for field in attrs.fields(StreamingSession) if field.name[0] != "_"]

    assert [member_name(name) for name in public] == WIRE_NAMES.split()
    assert sorted(full_session().to_dict()) == sorted(WIRE_NAMES.split())


def test_types() -> None:
    """Every member of a session is read into its type."""
    wire = full_session().to_dict()

    session = structure_session(json.loads(json.dumps(wire)))

    assert session == full_session()
    for name in (field.name for field in attrs.fields(StreamingSession) if field.eq):
        assert type(getattr(session, name)) is type(getattr(full_session(), name))


@given(WIRE_SESSIONS)
def test_wire_form_comes_back(wire: dict[str, object]) -> None:
    """`to_dict()` gives back what the service sent, with its times in RFC 3339 and UTC."""
    again = structure_session(wire).to_dict()

    assert again.keys() == wire.keys()
    for name, value in wire.items():
        if name.endswith("At"):
            moment = parse_timestamp(value)
            assert (again[name], parse_timestamp(again[name])) == (format_timestamp(moment), moment)
        else:
            assert again[name] == value


@given(WIRE_SESSIONS)
def test_times_are_aware_utc(wire: dict[str, object]) -> None:
    """Every time that is read is aware, and in UTC."""
    session = structure_session(wire)

    for name in ("created_at", "started_at", "stop_at", "stopped_at", "updated_at"):
        moment = getattr(session, name)
        assert moment is None or moment.tzinfo is UTC


@given(JSON)
def test_any_json(value: object) -> None:
    """Any JSON value is a session or a ValueError."""
    assert refusal(value) is None or str(refusal(value)).startswith("session")


@given(st.dictionaries(st.sampled_from(WIRE_NAMES.split()), JSON))
def test_any_members(wire: dict[str, object]) -> None:
    """Known members of any value are a session or a ValueError that names one of them."""
    text = str(refusal(wire) or "")
    assert not text or any(f"session.{name}" in text for name in wire)


@pytest.mark.parametrize("name", WIRE_NAMES.split())
def test_null_is_absent(name: str) -> None:
    """A member that is null counts as absent."""
    session = structure_session({name: None})

    assert session == StreamingSession()
    assert session.to_dict() == {}


def test_null_of_a_map_is_dropped() -> None:
    """Null values of the tags and members of the volume count as absent too."""
    session = structure_session(
        {"tags": {"a": None, "b": "c"}, "volumeConfiguration": {"size": 500, "iops": None}}
    )

    assert session.tags == {"b": "c"}
    assert session.volume_configuration == VolumeConfiguration(size=500)
    assert session.to_dict() == {"tags": {"b": "c"}, "volumeConfiguration": {"size": 500}}


@pytest.mark.parametrize("name", ["newMember", "session_id", "sessionid", "_wire_times", "", "At"])
def test_unknown_members_are_ignored(name: str) -> None:
    """A member that the API did not have is ignored, whatever it holds."""
    session = structure_session({name: {"a": [1, None]}, "sessionId": "session-1"})

    assert session == StreamingSession(session_id="session-1")
    assert session.to_dict() == {"sessionId": "session-1"}


def test_unknown_values_are_kept() -> None:
    """A value that an enumeration did not have is kept."""
    session = structure_session({"state": "HIBERNATED"})

    assert session.state == "HIBERNATED"
    assert isinstance(session.state, StreamingSessionState)
    assert session.to_dict() == {"state": "HIBERNATED"}


@pytest.mark.parametrize(
    "spelling",
    ["2026-11-23T01:02:03.000Z", "2026-11-23T02:02:03+01:00", 1795395723, 1795395723.0],
)
def test_spelling_does_not_count(spelling: object) -> None:
    """Sessions that differ only in how the service spelled a time are equal."""
    session = structure_session({"stoppedAt": spelling})

    assert session == StreamingSession(stopped_at=MOMENT)
    assert session.to_dict() == {"stoppedAt": "2026-11-23T01:02:03Z"}


@pytest.mark.parametrize("number", [3, 3.0, 0, -1, 2**80])
def test_whole_numbers(number: float) -> None:
    """A whole number may be written with a fraction of zero."""
    session = structure_session({"maxBackupsToRetain": number})

    assert session.max_backups_to_retain == number
    assert type(session.max_backups_to_retain) is int


NO_TEXT: list[Any] = [1, 1.5, True, [], {}, ["READY"]]
NO_TIME: list[Any] = ["", "yesterday", "2026-11-23", "2026-11-23T01:02:03", True, [], {}, 1e300]
NO_INTEGER: list[Any] = ["1", 1.5, True, [], {}, float("inf")]
NO_OBJECT: list[Any] = ["x", 1, True, [], [["a", "b"]]]
WRONG: list[tuple[dict[str, Any], str]] = [
    *(({name: value}, name) for name in TEXTS for value in NO_TEXT),
    *(({name: value}, name) for name in TIMES for value in NO_TIME),
    *(({"maxBackupsToRetain": value}, "maxBackupsToRetain") for value in NO_INTEGER),
    *(({name: value}, name) for name in ("tags", "volumeConfiguration") for value in NO_OBJECT),
    *(
        ({"volumeConfiguration": {name: value}}, f"volumeConfiguration.{name}")
        for name in ("iops", "size", "throughput")
        for value in NO_INTEGER
    ),
    *(({"tags": {"show": value}}, "tags") for value in NO_TEXT),
]


@pytest.mark.parametrize(("wire", "name"), WRONG, ids=str)
def test_wrong_members_are_named(wire: dict[str, Any], name: str) -> None:
    """A member of a wrong type is an error that names it."""
    with pytest.raises(ValueError, match=rf"^session\.{name}: \S"):
        structure_session({"sessionId": "session-1", **wire})


def test_all_wrong_members_are_named() -> None:
    """Several wrong members are all named."""
    with pytest.raises(ValueError, match="session") as error:
        structure_session({"arn": 1, "stopAt": "x", "volumeConfiguration": {"iops": "y"}})

    for name in ("session.arn", "session.stopAt", "session.volumeConfiguration.iops"):
        assert f"{name}: " in str(error.value)


def test_other_notes_name_no_member() -> None:
    """A note that somebody else left on an error is no member's name."""
    error = ValueError("bad")
    error.add_note("by hand")

    assert list(_explain(error, "session")) == ["session: bad"]


@pytest.mark.parametrize("value", [None, [], "session", 1, True])
def test_no_object(value: object) -> None:
    """What is no object is no session."""
    with pytest.raises(ValueError, match=r"^session: expected an object"):
        structure_session(value)


def test_source_is_left_alone() -> None:
    """Reading a session changes nothing in what it is read from."""
    wire = {"stoppedAt": "2026-11-23T01:02:03Z", "tags": {"a": None}}
    structure_session(wire)

    assert wire == {"stoppedAt": "2026-11-23T01:02:03Z", "tags": {"a": None}}


# Form, and the moment it names: year, month, day, hour, minute, second, microsecond.
ACCEPTED: list[tuple[object, tuple[int, ...]]] = [
    ("2026-11-23T01:02:03Z", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23t01:02:03z", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23 01:02:03Z", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23T01:02:03.4Z", (2026, 11, 23, 1, 2, 3, 400000)),
    ("2026-11-23T01:02:03.45Z", (2026, 11, 23, 1, 2, 3, 450000)),
    ("2026-11-23T01:02:03.456Z", (2026, 11, 23, 1, 2, 3, 456000)),
    ("2026-11-23T01:02:03.4567Z", (2026, 11, 23, 1, 2, 3, 456700)),
    ("2026-11-23T01:02:03.45678Z", (2026, 11, 23, 1, 2, 3, 456780)),
    ("2026-11-23T01:02:03.456789Z", (2026, 11, 23, 1, 2, 3, 456789)),
    ("2026-11-23T01:02:03.4567891Z", (2026, 11, 23, 1, 2, 3, 456789)),
    ("2026-11-23T01:02:03.45678912Z", (2026, 11, 23, 1, 2, 3, 456789)),
    ("2026-11-23T01:02:03.999999999Z", (2026, 11, 23, 1, 2, 3, 999999)),
    ("2026-11-23T01:02:03.000Z", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23T01:02:03+00:00", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23T01:02:03-00:00", (2026, 11, 23, 1, 2, 3)),
    ("2026-11-23T01:02:03+01:00", (2026, 11, 23, 0, 2, 3)),
    ("2026-11-23T01:02:03-01:00", (2026, 11, 23, 2, 2, 3)),
    ("2026-11-23T01:02:03+05:30", (2026, 11, 22, 19, 32, 3)),
    ("2026-11-23T01:02:03-23:59", (2026, 11, 24, 1, 1, 3)),
    ("2026-11-23T01:02:03.5+05:45", (2026, 11, 22, 19, 17, 3, 500000)),
    ("2024-02-29T00:00:00Z", (2024, 2, 29)),
    ("2026-12-31T23:59:59Z", (2026, 12, 31, 23, 59, 59)),
    ("2016-12-31T23:59:60Z", (2017, 1, 1)),
    ("2016-12-31T23:59:60.5Z", (2017, 1, 1, 0, 0, 0, 500000)),
    ("2017-01-01T00:59:60+01:00", (2017, 1, 1)),
    ("0001-01-01T00:00:00Z", (1, 1, 1)),
    ("9999-12-31T23:59:59.999999Z", (9999, 12, 31, 23, 59, 59, 999999)),
    ("1969-12-31T23:59:59Z", (1969, 12, 31, 23, 59, 59)),
    (0, (1970, 1, 1)),
    (1795395723, (2026, 11, 23, 1, 2, 3)),
    (1795395723.0, (2026, 11, 23, 1, 2, 3)),
    (1795395723.5, (2026, 11, 23, 1, 2, 3, 500000)),
    (1795395723.456789, (2026, 11, 23, 1, 2, 3, 456789)),
    (1.795395723e9, (2026, 11, 23, 1, 2, 3)),
    (-1, (1969, 12, 31, 23, 59, 59)),
]
REFUSED: list[object] = [
    "",
    " ",
    "now",
    "null",
    "2026-11-23",
    "2026-11-23T01:02:03",
    "2026-11-23T01:02:03.456",
    "2026-11-23T01:02Z",
    "2026-11-23T01:02:03 Z",
    "2026-11-23T01:02:03Z ",
    " 2026-11-23T01:02:03Z",
    "2026-11-23T01:02:03Z\n",
    "2026-11-23T01:02:03.Z",
    "2026-11-23T01:02:03,5Z",
    "2026-11-23T01:02:03.4567891234Z",
    "2026-11-23T01:02:03+0100",
    "2026-11-23T01:02:03+01",
    "2026-11-23T01:02:03+24:00",
    "2026-11-23T01:02:03+01:60",
    "2026-11-23T01:02:03UTC",
    "20261123T010203Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-11-31T00:00:00Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T01:60:00Z",
    "2026-11-23T01:02:61Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:60Z",
    "12026-11-23T01:02:03Z",
    "-026-11-23T01:02:03Z",
    "٢٠٢٦-11-23T01:02:03Z",
    "Mon, 23 Nov 2026 01:02:03 GMT",
    "1795395723",
    "\ud800",
    None,
    True,
    False,
    [],
    {},
    b"2026-11-23T01:02:03Z",
    1e300,
    -1e300,
    10**30,
    10**400,
    float("nan"),
    float("inf"),
    float("-inf"),
]


@pytest.mark.parametrize(("form", "expected"), ACCEPTED)
def test_accepted(form: object, expected: tuple[int, ...]) -> None:
    """Every RFC 3339 form and epoch numbers name a moment, in aware UTC."""
    moment = parse_timestamp(form)

    assert moment == datetime(*expected, tzinfo=UTC)  # type: ignore[arg-type,misc]
    assert moment.tzinfo is UTC


@pytest.mark.parametrize("form", REFUSED, ids=ascii)
def test_refused(form: object) -> None:
    """Whatever names no moment is a ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_timestamp(form)


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_anything(value: object) -> None:
    """Any JSON value is a moment in aware UTC or a ValueError."""
    try:
        moment = parse_timestamp(value)
    except ValueError:
        return
    assert moment.utcoffset() == timedelta(0)


OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=OFFSETS)  # noqa: DTZ001 - the strategy adds the zone


@given(MOMENTS)
def test_agrees_with_the_standard_library(moment: datetime) -> None:
    """What the standard library writes in any offset is read as the same moment."""
    assert parse_timestamp(moment.isoformat()) == moment


@given(MOMENTS)
def test_round_trip(moment: datetime) -> None:
    """What is written is read back, to the microsecond, and is UTC with a Z."""
    text = format_timestamp(moment)

    assert parse_timestamp(text) == moment
    assert text.endswith("Z")


WRITTEN = [
    (datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC), "2026-11-23T01:02:03Z"),
    (datetime(2026, 11, 23, 1, 2, 3, 400000, tzinfo=UTC), "2026-11-23T01:02:03.400000Z"),
    (
        datetime(2026, 11, 23, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
        "2026-11-22T23:02:03Z",
    ),
]


@pytest.mark.parametrize(("moment", "text"), WRITTEN)
def test_written(moment: datetime, text: str) -> None:
    """A time is written as the service writes it, with a fraction only when there is one."""
    assert format_timestamp(moment) == text
