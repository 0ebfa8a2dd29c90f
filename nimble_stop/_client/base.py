"""What the sync and the async client have in common: all but the transport and the waiting."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import attrs

from nimble_stop._auth.credentials import CredentialSource
from nimble_stop._auth.signer import Signer
from nimble_stop._call.engine import Engine
from nimble_stop._config import options
from nimble_stop._config.config import Config, resolve
from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator

    from botocore.credentials import Credentials

    from nimble_stop._call.deadline import Deadline
    from nimble_stop._call.record import AttemptRecord
    from nimble_stop._call.telemetry import Telemetry
    from nimble_stop._config.retry_policy import RetryPolicy
    from nimble_stop._config.runtime import Runtime
    from nimble_stop._flows.results import BulkOptions
    from nimble_stop.models import VolumeRetentionMode

_logger = logging.getLogger("nimble_stop")
_Client = TypeVar("_Client", bound="BaseClient")


class BaseClient(ABC):
    """A client without a transport: options, credentials, signer and engine."""

    def __init__(
        self,
        *,
        region_name: str | None = None,
        profile_name: str | None = None,
        endpoint_url: str | None = None,
        credentials: Credentials | None = None,
        timeout: options.Timeouts | float = options.DEFAULT_TIMEOUTS,
        deadline: float = options.DEADLINE_SECONDS,
        retry: RetryPolicy | None = None,
        max_connections: int = options.MAX_CONNECTIONS,
        ca_bundle: str | os.PathLike[str] | None = None,
        runtime: Runtime | None = None,
        on_attempt: Callable[[AttemptRecord], object] | None = None,
        telemetry: Literal["opentelemetry"] | None = "opentelemetry",
    ) -> None:
        self._options = options.Options(
            region_name=region_name,
            profile_name=profile_name,
            endpoint_url=endpoint_url,
            timeout=timeout,
            deadline=deadline,
            retry=retry,
            max_connections=max_connections,
            ca_bundle=ca_bundle,
            runtime=runtime,
            on_attempt=on_attempt,
            telemetry=telemetry,
        )
        self._config = resolve(self._options)
        self._credentials = CredentialSource(credentials, profile_name)
        self._signer = Signer(self._config, self._credentials)
        spans = None if telemetry is None else _telemetry(self._config)
        self._engine = Engine(self._config, on_attempt, spans)
        self._open()

    @abstractmethod
    def _open(self) -> None:
        """Make the transport."""

    @property
    def region_name(self) -> str:
        """The region that requests are signed for."""
        return self._config.region_name

    @property
    def endpoint_url(self) -> str:
        """Where requests go."""
        return self._config.endpoint.url

    def with_options(
        self,
        *,
        timeout: options.Timeouts | float | None = None,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> Self:
        """Make a copy with other options that shares this client's connections.

        None leaves an option as it is. What the client has learned, the retry quota and the
        service's clock, is shared too. Closing one of them closes the connections of both.

        Raises:
            RequestValidationError: An option is out of its range.
        """
        changes = {"timeout": timeout, "deadline": deadline, "retry": retry}
        given: dict[str, Any] = {name: each for name, each in changes.items() if each is not None}
        copy = type(self).__new__(type(self))
        vars(copy).update(vars(self))
        copy._options = attrs.evolve(self._options, **given)
        copy._config = attrs.evolve(
            self._config,
            timeouts=copy._options.timeout,
            deadline=copy._options.deadline,
            retry=copy._options.retry or self._config.retry,
        )
        copy._engine = self._engine.with_config(copy._config)
        return copy

    def _bulk_options(
        self,
        studio_id: str,
        retention: VolumeRetentionMode | str | None,
        run_id: str | None,
        max_concurrency: int,
        *,
        wait: bool,
    ) -> BulkOptions:
        from nimble_stop._flows.results import BulkOptions

        return BulkOptions(
            studio_id=studio_id,
            retention=retention,
            run_id=self._config.runtime.new_id() if run_id is None else run_id,
            max_concurrency=max_concurrency,
            wait=wait,
            may_repeat=run_id is not None,
        )

    @staticmethod
    @contextmanager
    def _logged_failure() -> Generator[None]:
        try:
            yield
        except Exception:
            _logger.exception("on_attempt failed; the call goes on.")

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} region_name={self.region_name!r} "
            f"endpoint_url={self.endpoint_url!r}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the options, without connections; refuse to pickle credentials."""
        if self._credentials.given:
            raise ConfigurationError(
                "A client with credentials= is not pickled, because the secret would be in the "
                "pickle. Make the client where it is used, or leave credentials= out, so that the "
                "other process finds its own by AWS_PROFILE, environment or role."
            )
        return partial(type(self), **self._arguments()), ()

    def _arguments(self) -> dict[str, Any]:
        return attrs.asdict(self._options, recurse=False)


def _telemetry(config: Config) -> Telemetry | None:
    try:
        from nimble_stop._call.telemetry import Telemetry
    except ModuleNotFoundError:
        # OpenTelemetry's API is an extra.
        return None
    return Telemetry(config)


def bounded(client: _Client, deadline: Deadline) -> _Client:
    """Make a copy of a client that shares its connections, and all of whose calls end in time."""
    copy = client.with_options()
    copy._engine.limit = deadline  # pyright: ignore[reportPrivateUsage] - our own
    return copy
