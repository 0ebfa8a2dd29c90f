"""The module's own `stop_session`, over a client that is made on first use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from nimble_stop._api.arguments import checked_seconds
from nimble_stop._api.request import stop_request
from nimble_stop._client.sync_client import NimbleClient
from nimble_stop._config.fork import renew_in_children
from nimble_stop._config.runtime import Runtime

if TYPE_CHECKING:
    from nimble_stop.models import StreamingSession, VolumeRetentionMode


class DefaultClient:
    """The client of the module's functions, made on first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: NimbleClient | None = None
        renew_in_children(self)

    def client(self) -> NimbleClient:
        """Give the client; make it when there is none yet."""
        client = self._client
        if client is None:
            with self._lock:
                client = self._client = self._client or NimbleClient()
        return client

    def reset(self) -> None:
        """Forget the client, so that the next use reads the environment anew."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def renew_after_fork(self) -> None:
        """Replace the lock, which another thread of the parent may hold."""
        self._lock = threading.Lock()


default = DefaultClient()


def stop_session(
    studio_id: str,
    session_id: str,
    *,
    retention: VolumeRetentionMode | str | None = None,
    client_token: str | None = None,
    deadline: float | None = None,
) -> StreamingSession:
    """Stop a streaming session, with a client made on first use from the environment.

    The same as `NimbleClient.stop_session`. Threads may call it at the same time, and so may the
    children of a fork.

    Args:
        studio_id: The studio's id.
        session_id: The session's id.
        retention: Whether the session's EBS volumes are kept (``RETAIN``) or deleted
            (``DELETE``). None leaves it to the session's own setting.
        client_token: Makes repeated calls one: 1 to 64 printable ASCII characters. None for a new
            one.
        deadline: How many seconds the call may take in all. None for 90.

    Returns:
        The session as the service answered.

    Raises:
        RequestValidationError: An argument is invalid; nothing was sent.
        ConfigurationError: There is no region, there are no credentials, or a setting is invalid.
        ServiceError: The service refused; the subclass says why.
        TransportError: No answer came, in none of the attempts.
        DeadlineExceededError: It took longer than the deadline.
        ResponseDecodeError: The answer cannot be understood.
    """
    # The arguments come first: a mistake in them shows even where nothing is configured.
    request = stop_request(
        studio_id,
        session_id,
        retention=retention,
        client_token=client_token,
        new_token=Runtime().new_id,
    )
    if deadline is not None:
        checked_seconds("deadline", deadline)
    client = default.client()
    return client._call(request, deadline)  # pyright: ignore[reportPrivateUsage] - our own class
