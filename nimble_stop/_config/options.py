"""The options of a client, as they were passed in, and the defaults, each with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, Literal

import attrs

from nimble_stop._api.arguments import checked_seconds
from nimble_stop._config.retry_policy import RetryPolicy, positive_count, positive_seconds
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


def _timeouts(timeout: Timeouts | float) -> Timeouts:
    if isinstance(timeout, Timeouts):
        return timeout
    seconds = checked_seconds("timeout", timeout)
    return Timeouts(connect=seconds, read=seconds)


def _of_type(kind: Any, label: str) -> Callable[[object, attrs.Attribute[Any], object], None]:  # noqa: ANN401 - as isinstance takes it
    """Make the check of an option; a value of another type would only fail later."""

    def check(_: object, option: attrs.Attribute[Any], value: object) -> None:
        if value is not None and not isinstance(value, kind):
            message = f"{option.name} must be {label} or None, not {type(value).__name__}."
            raise RequestValidationError(message, argument=option.name)

    return check


_TEXT: Final = _of_type(str, "a string")


def _check_telemetry(_: object, option: attrs.Attribute[Any], value: object) -> None:
    if value not in (None, "opentelemetry"):
        message = f"{option.name} must be 'opentelemetry' or None, not {value!r}."
        raise RequestValidationError(message, argument=option.name)


@attrs.frozen(kw_only=True)
class Options:
    """The options of a client, checked. The client classes document each of them."""

    region_name: str | None = attrs.field(default=None, validator=_TEXT)
    profile_name: str | None = attrs.field(default=None, validator=_TEXT)
    endpoint_url: str | None = attrs.field(default=None, validator=_TEXT)
    timeout: Timeouts = attrs.field(default=DEFAULT_TIMEOUTS, converter=_timeouts)
    deadline: float = attrs.field(default=DEADLINE_SECONDS, validator=positive_seconds)
    retry: RetryPolicy | None = attrs.field(
        default=None, validator=_of_type(RetryPolicy, "a RetryPolicy")
    )
    max_connections: int = attrs.field(default=MAX_CONNECTIONS, validator=positive_count)
    ca_bundle: str | os.PathLike[str] | None = attrs.field(
        default=None, validator=_of_type((str, os.PathLike), "a path")
    )
    runtime: Runtime | None = attrs.field(default=None, validator=_of_type(Runtime, "a Runtime"))
    on_attempt: Callable[..., object] | None = attrs.field(
        default=None, validator=_of_type(Callable, "callable")
    )
    telemetry: Literal["opentelemetry"] | None = attrs.field(
        default="opentelemetry", validator=_check_telemetry
    )
