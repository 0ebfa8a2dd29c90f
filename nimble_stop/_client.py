"""The sync client, and the module's own `stop_session`, which uses a default one."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self, TypeVar

from nimble_stop._arguments import checked_seconds
from nimble_stop._base import BaseClient
from nimble_stop._engine import Effect, Send, Sign, drive
from nimble_stop._fork import renew_in_children
from nimble_stop._requests import get_request, stop_request
from nimble_stop._runtime import Runtime
from nimble_stop._transport import Transport

if TYPE_CHECKING:
    from types import TracebackType

    from nimble_stop._protocol import Request
    from nimble_stop.models import StreamingSession, VolumeRetentionMode

ResultT = TypeVar("ResultT")


class NimbleClient(BaseClient):
    """A client of Amazon Nimble Studio's streaming sessions.

    Threads may share a client; processes that fork may too. It keeps connections open: close it,
    or use it as a context manager.

    Args:
        region_name: The AWS region, such as ``"us-west-2"``. Else ``AWS_REGION``,
            ``AWS_DEFAULT_REGION`` or the profile's.
        profile_name: The profile in AWS's shared files. Else ``AWS_PROFILE``.
        endpoint_url: Where requests go. Else ``AWS_ENDPOINT_URL_NIMBLE``, ``AWS_ENDPOINT_URL``,
            the profile's, or AWS's own host in the region, which AWS has closed.
        credentials: botocore credentials, such as ``boto3.Session().get_credentials()`` returns.
            Else whatever botocore's chain finds at the first call.
        timeout: How long one attempt may take: `Timeouts`, or one number of seconds for both of
            its parts.
        deadline: How many seconds a call may take in all: attempts, delays, everything.
        retry: How failed attempts are repeated. Else `RetryPolicy` with ``AWS_MAX_ATTEMPTS`` or
            the profile's ``max_attempts``.
        max_connections: How many connections are kept open for reuse.
        ca_bundle: A file or directory of certificates to trust. Else ``AWS_CA_BUNDLE``, the
            profile's, or certifi's.
        runtime: Clocks, sleep, randomness and ids, for tests.

    Raises:
        ConfigurationError: There is no region, or a setting is invalid. Credentials are looked
            for at the first call.
        RequestValidationError: An argument has the wrong type or range.
    """

    _transport: Transport

    def _open(self) -> None:
        self._transport = Transport(self._config)

    def stop_session(
        self,
        studio_id: str,
        session_id: str,
        *,
        retention: VolumeRetentionMode | str | None = None,
        client_token: str | None = None,
        deadline: float | None = None,
    ) -> StreamingSession:
        """Stop a streaming session.

        The service answers as soon as the stop has begun, as a rule in state
        ``STOP_IN_PROGRESS``. A call that failed is safely repeated with the ``client_token`` of
        its error. See AWS's page on `StopStreamingSession`_.

        Args:
            studio_id: The studio's id.
            session_id: The session's id.
            retention: Whether the session's EBS volumes are kept (``RETAIN``) or deleted
                (``DELETE``). None leaves it to the session's own setting.
            client_token: Makes repeated calls one: 1 to 64 printable ASCII characters. None for
                a new one.
            deadline: How many seconds the call may take in all. None for the client's.

        Returns:
            The session as the service answered.

        Raises:
            RequestValidationError: An argument is invalid; nothing was sent.
            ConfigurationError: There are no credentials.
            ConflictException: Another operation is in progress on the session, or its state
                allows no stop.
            ResourceNotFoundException: The studio or the session does not exist.
            ServiceError: The service refused for another reason; the subclass says which.
            TransportError: No answer came, in none of the attempts.
            DeadlineExceededError: It took longer than the deadline.
            ResponseDecodeError: The answer cannot be understood.

        .. _StopStreamingSession:
           https://docs.aws.amazon.com/nimble-studio/latest/api/API_StopStreamingSession.html
        """
        request = stop_request(
            studio_id,
            session_id,
            retention=retention,
            client_token=client_token,
            new_token=self._config.runtime.new_id,
        )
        return self._call(request, deadline)

    def get_session(
        self, studio_id: str, session_id: str, *, deadline: float | None = None
    ) -> StreamingSession:
        """Read a streaming session. See AWS's page on `GetStreamingSession`_.

        Args:
            studio_id: The studio's id.
            session_id: The session's id.
            deadline: How many seconds the call may take in all. None for the client's.

        Returns:
            The session as the service answered.

        Raises:
            RequestValidationError: An argument is invalid; nothing was sent.
            ConfigurationError: There are no credentials.
            ResourceNotFoundException: The studio or the session does not exist.
            ServiceError: The service refused for another reason; the subclass says which.
            TransportError: No answer came, in none of the attempts.
            DeadlineExceededError: It took longer than the deadline.
            ResponseDecodeError: The answer cannot be understood.

        .. _GetStreamingSession:
           https://docs.aws.amazon.com/nimble-studio/latest/api/API_GetStreamingSession.html
        """
        return self._call(get_request(studio_id, session_id), deadline)

    def close(self) -> None:
        """Close the connections, also those of copies made by `with_options`."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, request: Request[ResultT], deadline: float | None) -> ResultT:
        return drive(self._engine.call(request, self._engine.deadline(deadline)), self._perform)

    def _perform(self, effect: Effect) -> object:
        if isinstance(effect, Sign):
            return self._authenticator.sign(effect.request, effect.headers, effect.skew)
        if isinstance(effect, Send):
            return self._transport.exchange(effect)
        return (self._config.runtime.sleep or time.sleep)(effect.seconds)


class _Default:
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


default = _Default()


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
    return default.client()._call(request, deadline)
