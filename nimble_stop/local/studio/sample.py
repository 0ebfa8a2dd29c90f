"""A small animation studio to try things out on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nimble_stop.local.studio.clock import render_timestamp
from nimble_stop.models import StreamingSessionState as State

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SAMPLE_STUDIO_ID", "sample_sessions"]

SAMPLE_STUDIO_ID: Final = "demo-studio"
"""The id of the sample studio."""

_HOUR: Final = 3600.0
_LARGE: Final = {"iops": 6000, "size": 1000, "throughput": 250}
# Of each session: its id, its state, its owner, its instance type, its age in hours, its tags.
_SESSIONS: Final[tuple[tuple[str, State, str, str, float, dict[str, str]], ...]] = (
    ("artist-1", State.READY, "amara", "g5.2xlarge", 9, {"department": "animation"}),
    ("artist-2", State.READY, "bjorn", "g5.4xlarge", 7.5, {"department": "lighting"}),
    ("artist-3", State.READY, "chandra", "g4dn.2xlarge", 6, {"department": "animation"}),
    ("compositing-1", State.READY, "dalia", "g5.8xlarge", 30, {"department": "compositing"}),
    ("review-room", State.STOPPED, "emeka", "g4dn.xlarge", 52, {"department": "production"}),
    ("render-test", State.STOP_FAILED, "farah", "g5.16xlarge", 26, {"department": "lighting"}),
)


def sample_sessions(studio_id: str, now: float) -> Iterator[dict[str, object]]:
    """Describe the sample studio's sessions, in the form of a state document.

    Args:
        studio_id: The studio's id.
        now: The sessions' time, in seconds since 1970 UTC.
    """
    for session_id, state, owner, instance_type, hours, tags in _SESSIONS:
        created = render_timestamp(now - hours * _HOUR)
        changed = created
        session: dict[str, object] = {
            "studioId": studio_id,
            "sessionId": session_id,
            "state": str(state),
            "createdAt": created,
            "createdBy": owner,
            "ec2InstanceType": instance_type,
            "launchProfileId": "lp-" + tags["department"],
            "ownedBy": owner,
            "streamingImageId": "img-linux-2024",
            "tags": {"project": "northern-lights", **tags},
            "updatedBy": owner,
        }
        if instance_type.startswith("g5."):
            session["volumeConfiguration"] = _LARGE
        if state is not State.READY:
            changed = render_timestamp(now - (hours - 2) * _HOUR)
            session |= {"stoppedAt": changed, "stoppedBy": owner}
        yield {**session, "updatedAt": changed}
