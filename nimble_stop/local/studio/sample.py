"""A small animation studio to try things out on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nimble_stop.local.storage.clock import render_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE_STUDIO_ID: Final = "demo-studio"
"""The id of the sample studio."""

_HOUR: Final = 3600.0
# Of each session: id, state, owner, instance type, age in hours, department.
_SESSIONS: Final = (
    ("artist-1", "READY", "amara", "g5.2xlarge", 9, "animation"),
    ("artist-2", "READY", "bjorn", "g5.4xlarge", 7.5, "lighting"),
    ("artist-3", "READY", "chandra", "g4dn.2xlarge", 6, "animation"),
    ("compositing-1", "READY", "dalia", "g5.8xlarge", 30, "compositing"),
    ("review-room", "STOPPED", "emeka", "g4dn.xlarge", 52, "production"),
    ("render-test", "STOP_FAILED", "farah", "g5.16xlarge", 26, "lighting"),
)


def sample_sessions(studio_id: str, now: float) -> Iterator[dict[str, object]]:
    """Describe the sample studio's sessions, in the form of a state document."""
    for session_id, state, owner, instance_type, hours, department in _SESSIONS:
        created = render_timestamp(now - hours * _HOUR)
        session: dict[str, object] = {
            "studioId": studio_id,
            "sessionId": session_id,
            "state": state,
            "createdAt": created,
            "createdBy": owner,
            "ec2InstanceType": instance_type,
            "launchProfileId": f"lp-{department}",
            "ownedBy": owner,
            "streamingImageId": "img-linux-2024",
            "tags": {"project": "northern-lights", "department": department},
            "updatedAt": created,
            "updatedBy": owner,
        }
        if instance_type.startswith("g5."):
            session["volumeConfiguration"] = {"iops": 6000, "size": 1000, "throughput": 250}
        if state != "READY":
            stopped = render_timestamp(now - (hours - 2) * _HOUR)
            session |= {"stoppedAt": stopped, "stoppedBy": owner, "updatedAt": stopped}
        yield session
