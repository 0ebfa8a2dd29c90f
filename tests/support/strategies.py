"""What the service may send, as hypothesis strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from nimble_stop import models

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TEXT = st.text(max_size=20)
TIMES = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.builds(
        "{:04d}-11-23T01:02:03{}{}".format,
        st.integers(2, 9998),
        st.sampled_from(["", ".5", ".123", ".123456", ".123456789"]),
        st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-12:00"]),
    ),
    st.integers(0, 4_000_000_000),
    st.floats(0, 4_000_000_000),
)
INTEGERS = st.integers(-(2**63), 2**63)


def _values(enum: type[models.StreamingSessionState]) -> SearchStrategy[str]:
    return st.sampled_from([str(member) for member in enum]) | TEXT


_MEMBERS: dict[str, SearchStrategy[object]] = {
    **dict.fromkeys(
        (
            "arn",
            "createdBy",
            "ec2InstanceType",
            "launchProfileId",
            "ownedBy",
            "sessionId",
            "startedBy",
            "startedFromBackupId",
            "statusMessage",
            "stoppedBy",
            "streamingImageId",
            "updatedBy",
            "automaticTerminationMode",
            "backupMode",
            "sessionPersistenceMode",
            "statusCode",
            "volumeRetentionMode",
        ),
        TEXT,
    ),
    **dict.fromkeys(
        ("createdAt", "startedAt", "stopAt", "stoppedAt", "terminateAt", "updatedAt"), TIMES
    ),
    "state": _values(models.StreamingSessionState),
    "maxBackupsToRetain": INTEGERS,
    "tags": st.dictionaries(TEXT, TEXT, max_size=3),
    "volumeConfiguration": st.fixed_dictionaries(
        {}, optional={"iops": INTEGERS, "size": INTEGERS, "throughput": INTEGERS}
    ),
}

WIRE_SESSIONS: SearchStrategy[dict[str, object]] = st.fixed_dictionaries({}, optional=_MEMBERS)
"""Sessions as the service may send them."""

JSON: SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
"""Any JSON at all, NaN included."""
