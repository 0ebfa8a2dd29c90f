from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop import StreamingSession

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble


def test_sessions_are_a_mapping(local: LocalNimble) -> None:
    """Each session is found under its studio and its id, as a client would read it."""
    local.add_session(studio_id="studio-2", session_id="session-1", state="DELETED")
    assert list(local.sessions) == [("studio-1", "session-1"), ("studio-2", "session-1")]
    assert len(local.sessions) == 2
    session = local.sessions["studio-1", "session-1"]
    assert isinstance(session, StreamingSession)
    assert session.state == "READY"
    assert ("studio-1", "gone") not in local.sessions
    assert repr(local.sessions) == "<Sessions: 2>"


def test_a_session_that_is_not_there(local: LocalNimble) -> None:
    """An unknown one is a KeyError that names it."""
    with pytest.raises(KeyError, match="gone"):
        local.sessions["studio-1", "gone"]


@pytest.mark.parametrize("key", ["artist-1", ("studio-1",), ("studio-1", 5), None])
def test_what_is_no_key(local: LocalNimble, key: Any) -> None:  # noqa: ANN401  # what a test may pass
    """A key that is no pair of ids is refused with an example."""
    with pytest.raises(TypeError, match=r"sessions\['studio-1', 'session-1'\]"):
        local.sessions.get(key)


def test_the_view_is_live(local: LocalNimble) -> None:
    """A view shows what has become of the sessions since."""
    view = local.sessions
    local.add_session(studio_id="studio-1", session_id="b", state="STOP_IN_PROGRESS")
    assert view["studio-1", "b"].state == "STOPPED"
