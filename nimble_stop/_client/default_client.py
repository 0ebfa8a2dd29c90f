"""The module's own `stop_session`, over a client that is made on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nimble_stop._api.arguments import checked_seconds
from nimble_stop._api.request import stop_request
from nimble_stop._client.sync_client import NimbleClient
from nimble_stop._config.runtime import ForkSafeLock, Runtime

if TYPE_CHECKING:
    from nimble_stop.models import StreamingSession, VolumeRetentionMode


class _DefaultClient:
    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._client: NimbleClient | None = None

    def get(self) -> NimbleClient:
        client = self._client
        if client is None:
            with self._lock:
                client = self._client = self._client or NimbleClient()
        return client

    def reset(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()


_default: Final = _DefaultClient()


def reset_default_client() -> None:
    """Close and forget the client of `nimble_stop.stop_session`.

    The next call makes a new one, from the environment and AWS's files as they are then. For test
    suites that change the environment, and for servers that reload their configuration.
    """
    _default.reset()


def stop_session(
    studio_id: str,
    session_id: str,
    *,
    retention: VolumeRetentionMode | str | None = None,
    client_token: str | None = None,
    deadline: float | None = None,
) -> StreamingSession:
    """Stop a streaming session, with a client made on first use from the environment.

    Threads may call it at the same time, and so may the children of a fork. A call that failed is
    safely repeated with the ``client_token`` of its error. See AWS's page on
    `StopStreamingSession`_.

    Args:
        studio_id: The studio's id.
        session_id: The session's id.
        retention: Whether the session's EBS volumes are kept (``RETAIN``) or deleted
            (``DELETE``). None leaves it to the session's own setting.
        client_token: Makes repeated calls one: 1 to 64 printable ASCII characters. None for a new
            one.
        deadline: How many seconds the call may take in all. None for 90.

    Returns:
        The session as the service answered, as a rule in state ``STOP_IN_PROGRESS``.

    Raises:
        RequestValidationError: An argument is invalid; nothing was sent.
        ConfigurationError: There is no region, there are no credentials, or a setting is invalid.
        ServiceError: The service refused; the subclass says why.
        TransportError: No answer came, in none of the attempts.
        DeadlineExceededError: It took longer than the deadline.
        ResponseDecodeError: The answer cannot be understood.

    .. _StopStreamingSession:
       https://docs.aws.amazon.com/nimble-studio/latest/api/API_StopStreamingSession.html
    """
    # The arguments come first: a mistake in them shows even where nothing is configured.
    request = stop_request(studio_id, session_id, retention, client_token, Runtime().new_id)
    if deadline is not None:
        checked_seconds("deadline", deadline)
    client = _default.get()
    return client._call(request, deadline)  # pyright: ignore[reportPrivateUsage] - our own class
