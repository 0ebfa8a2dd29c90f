from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nimble_stop.local.studio.sample import SAMPLE_STUDIO_ID

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble


def test_the_sample_studio_has_something_to_stop(local: LocalNimble) -> None:
    """Its sessions are in several states, artist-1 is ready, and all times are in the past."""
    local.reset()
    local.add_sample_studio()
    sessions = local.sessions
    assert len(sessions) == 6
    assert sessions[SAMPLE_STUDIO_ID, "artist-1"].state == "READY"
    assert {str(session.state) for session in sessions.values()} >= {"READY", "STOPPED"}
    for session in sessions.values():
        assert session.owned_by
        assert session.created_at is not None
        assert session.updated_at is not None
        assert session.created_at <= session.updated_at < datetime.now(UTC)
        assert (session.stopped_at is None) == (session.state == "READY")


def test_it_can_have_another_name(local: LocalNimble) -> None:
    """The studio's id can be chosen."""
    local.add_sample_studio("mine")
    assert local.sessions["mine", "artist-1"].tags is not None
