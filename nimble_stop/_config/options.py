"""The options of a client, as they were passed in, and the defaults, each with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, Literal

import attrs

from nimble_stop._config.retry_policy import RetryPolicy, positive_seconds
from nimble_stop._config.runtime import Runtime
from nimble_stop.exceptions import RequestValidationError

# A healthy service is connected to within a second, and answers a stop within a few.
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 20.0
# Room for three attempts that all time out, and for the delays between them.
DEADLINE_SECONDS: Final = 90.0
# Connections kept open for reuse; as many as botocore keeps.
MAX_CONNECTIONS: Final = 10
# AWS's own waiter polls every 5 seconds, 180 times.
WAIT_SECONDS: Final = 900.0
POLL_SECONDS: Final = 5.0
# Stops in flight at the same time; a studio's service quota allows a few a second.
MAX_CONCURRENCY: Final = 8


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long one attempt may take.

    Args:
        connect: Seconds for a new connection: name lookup, TCP, proxy and TLS together.
        read: Seconds from then on until the last byte of the answer.

    Raises:
        RequestValidationError: A value is not a number of seconds greater than 0.
    """

    connect: float = attrs.field(default=CONNECT_SECONDS, validator=positive_seconds)
    read: float = attrs.field(default=READ_SECONDS, validator=positive_seconds)


DEFAULT_TIMEOUTS: Final = Timeouts()


@attrs.frozen(kw_only=True)
class Options:
    """The options of a client. The client classes document each of them."""

    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None
    timeout: Timeouts | float = DEFAULT_TIMEOUTS
    deadline: float = DEADLINE_SECONDS
    retry: RetryPolicy | None = None
    max_connections: int = MAX_CONNECTIONS
    ca_bundle: str | os.PathLike[str] | None = None
    runtime: Runtime = attrs.field(factory=Runtime)
    on_attempt: Callable[..., object] | None = None
    telemetry: Literal["opentelemetry"] | None = "opentelemetry"


# Options whose type nothing else checks.
_TYPES: Final[tuple[tuple[str, Any, str], ...]] = (
    ("region_name", (str,), "a string"),
    ("profile_name", (str,), "a string"),
    ("endpoint_url", (str,), "a string"),
    ("retry", (RetryPolicy,), "a RetryPolicy"),
    ("ca_bundle", (str, os.PathLike), "a path"),
    ("runtime", (Runtime,), "a Runtime"),
    ("on_attempt", (Callable,), "callable"),
)


def check_types(options: Options) -> None:
    """Refuse values that would only fail later, with another message."""
    for name, kinds, label in _TYPES:
        value: object = getattr(options, name)
        if value is not None and not isinstance(value, kinds):
            raise RequestValidationError(
                f"{name} must be {label} or None, not {type(value).__name__}.", argument=name
            )
    if options.telemetry is not None and options.telemetry != "opentelemetry":
        raise RequestValidationError(
            f"telemetry must be 'opentelemetry' or None, not {options.telemetry!r}.",
            argument="telemetry",
        )
