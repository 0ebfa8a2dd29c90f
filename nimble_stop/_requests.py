"""From the arguments of a client's methods to requests. Pure: the clients add the sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop._arguments import checked_client_token, checked_retention
from nimble_stop._protocol import GET_STREAMING_SESSION, STOP_STREAMING_SESSION, build_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop._protocol import Request
    from nimble_stop.models import StreamingSession, VolumeRetentionMode


def stop_request(
    studio_id: str,
    session_id: str,
    *,
    retention: VolumeRetentionMode | str | None,
    client_token: str | None,
    new_token: Callable[[], str],
) -> Request[StreamingSession]:
    """Build the request that stops a session, with a new token when none is given."""
    return build_request(
        STOP_STREAMING_SESSION,
        {
            "studio_id": studio_id,
            "session_id": session_id,
            "retention": checked_retention(retention),
        },
        client_token=checked_client_token(new_token() if client_token is None else client_token),
    )


def get_request(studio_id: str, session_id: str) -> Request[StreamingSession]:
    """Build the request that reads a session."""
    return build_request(GET_STREAMING_SESSION, {"studio_id": studio_id, "session_id": session_id})
