from __future__ import annotations

import pytest

from nimble_stop._api.operations import GET_STREAMING_SESSION, STOP_STREAMING_SESSION
from nimble_stop._api.request import get_request, stop_request
from nimble_stop.exceptions import RequestValidationError


def stop(
    studio_id: str = "studio-1",
    session_id: str = "session-1",
    *,
    retention: str | None = None,
    client_token: str | None = None,
) -> tuple[str, bytes, str | None]:
    """Build a stop whose new token would be `new`."""
    request = stop_request(studio_id, session_id, retention, client_token, lambda: "new")
    assert request.operation is STOP_STREAMING_SESSION
    return request.path, request.body, request.client_token


def test_stop() -> None:
    """A stop names the session, what becomes of its volumes, and a token."""
    path = "/2020-08-01/studios/studio-1/streaming-sessions/session-1/stop"

    assert stop() == (path, b"{}", "new")
    assert stop(retention="DELETE") == (path, b'{"volumeRetentionMode": "DELETE"}', "new")
    assert stop(client_token="mine") == (path, b"{}", "mine")


@pytest.mark.parametrize(
    ("name", "value"),
    [("studio_id", ""), ("session_id", ".."), ("retention", "KEEP"), ("client_token", "")],
)
def test_refused(name: str, value: str) -> None:
    """A bad argument is refused by its name; an empty token is none that was left out."""
    with pytest.raises(RequestValidationError, match=rf"^{name} must be"):
        stop(**{name: value})


def test_new_tokens_are_checked() -> None:
    """A runtime's new id must be a token, too."""
    with pytest.raises(RequestValidationError, match=r"^client_token must be"):
        stop_request("a", "b", None, None, lambda: "x" * 65)


def test_get() -> None:
    """A read names the session."""
    request = get_request("studio-1", "session-1")

    assert request.operation is GET_STREAMING_SESSION
    assert request.path == "/2020-08-01/studios/studio-1/streaming-sessions/session-1"
