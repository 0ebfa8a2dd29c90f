"""What a client can be asked for, before anything is looked up."""

from __future__ import annotations

import os
from typing import Final

import attrs

from nimble_stop._api.arguments import checked_seconds
from nimble_stop._call.retry import RetryPolicy
from nimble_stop._config.defaults import (
    CONNECT_SECONDS,
    DEADLINE_SECONDS,
    MAX_CONNECTIONS,
    READ_SECONDS,
)
from nimble_stop._config.runtime import Runtime
from nimble_stop.exceptions import RequestValidationError


def _seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    checked_seconds(attribute.name, value)


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long one attempt may take.

    Args:
        connect: Seconds for a new connection: name lookup, TCP, proxy and TLS together.
        read: Seconds from then on until the last byte of the answer.

    Raises:
        RequestValidationError: A value is not a number of seconds greater than 0.
    """

    connect: float = attrs.field(default=CONNECT_SECONDS, validator=_seconds)
    read: float = attrs.field(default=READ_SECONDS, validator=_seconds)


DEFAULT_TIMEOUTS: Final = Timeouts()


@attrs.frozen(kw_only=True)
class Options:
    """What a client was asked for. The client classes say what each one means."""

    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None
    timeout: Timeouts | float = DEFAULT_TIMEOUTS
    deadline: float = DEADLINE_SECONDS
    retry: RetryPolicy | None = None
    max_connections: int = MAX_CONNECTIONS
    ca_bundle: str | os.PathLike[str] | None = None
    runtime: Runtime = attrs.field(factory=Runtime)


# Options whose type nothing else checks.
_TYPES: Final = (
    ("region_name", (str,), "a string"),
    ("profile_name", (str,), "a string"),
    ("endpoint_url", (str,), "a string"),
    ("retry", (RetryPolicy,), "a RetryPolicy"),
    ("ca_bundle", (str, os.PathLike), "a path"),
    ("runtime", (Runtime,), "a Runtime"),
)


def check_types(options: Options) -> None:
    """Refuse what could only fail later, and in other words."""
    for name, kinds, label in _TYPES:
        value: object = getattr(options, name)
        if value is not None and not isinstance(value, kinds):
            raise RequestValidationError(
                f"{name} must be {label} or None, not {type(value).__name__}."
            )
