"""When a failed attempt is retried, and after how long: AWS's standard retry mode.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
The rules are pure; what a client remembers between calls is in `nimble_stop._call.engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop._api.arguments import checked_count, checked_seconds
from nimble_stop.exceptions import ConflictException, NimbleStopError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

# The standard mode's numbers as of November 2026.
_MAX_ATTEMPTS: Final = 3
_TRANSIENT_BASE_SECONDS: Final = 0.05
_THROTTLING_BASE_SECONDS: Final = 1.0
_MAX_BACKOFF_SECONDS: Final = 20.0
# How much longer than our own delay x-amz-retry-after may make us wait.
_MAX_EXTRA_SECONDS: Final = 5.0


def positive_seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    """Refuse a field's value that is no number of seconds greater than 0."""
    checked_seconds(attribute.name, value)


def positive_count(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    checked_count(attribute.name, value)


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often a call is tried, and how long it waits in between.

    The delay before the nth retry is a random part of ``base * 2**(n-1)`` seconds, at most
    ``max_backoff``. See AWS's `retry behavior`_.

    Args:
        max_attempts: Attempts in all, the first included, from 1.
        base_delay: Base in seconds after transient failures: no answer, 500, 502, 503, 504.
        throttling_base_delay: Base in seconds after throttling.
        max_backoff: The longest delay in seconds that is chosen here, and the longest
            ``Retry-After`` that is honoured.
        retry_conflicts: Whether a `ConflictException` is retried like a transient failure. Off,
            because another operation is in progress then, and it may take minutes.

    Raises:
        RequestValidationError: A value is out of its range.

    .. _retry behavior:
       https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    """

    max_attempts: int = attrs.field(default=_MAX_ATTEMPTS, validator=positive_count)
    base_delay: float = attrs.field(default=_TRANSIENT_BASE_SECONDS, validator=positive_seconds)
    throttling_base_delay: float = attrs.field(
        default=_THROTTLING_BASE_SECONDS, validator=positive_seconds
    )
    max_backoff: float = attrs.field(default=_MAX_BACKOFF_SECONDS, validator=positive_seconds)
    retry_conflicts: bool = False

    def retries(self, error: NimbleStopError) -> bool:
        """Whether an error is worth another attempt."""
        if isinstance(error, ConflictException) and self.retry_conflicts:
            return True
        return error.retryable is True

    def delay(self, retry: int, error: NimbleStopError, random: Callable[[], float]) -> float:
        """Give the seconds to wait before a retry, counted from 1, after an error.

        ``random`` gives a number from 0 up to 1.
        """
        base = self.throttling_base_delay if is_throttling(error) else self.base_delay
        # The exponent is bounded: a float overflows at 1024, long after max_backoff.
        delay: float = random() * min(base * 2 ** min(retry - 1, 64), self.max_backoff)
        if not isinstance(error, ServiceError) or error.retry_after is None:
            return delay
        # AWS's own header may add a little to our delay. SDKs ignore the general one; proxies
        # send it, and mean it.
        limit = delay + _MAX_EXTRA_SECONDS if error.asked_by_aws else self.max_backoff
        return max(delay, min(error.retry_after, limit))


def is_throttling(error: NimbleStopError) -> bool:
    """Whether the service asked for fewer requests."""
    return isinstance(error, ServiceError) and error.throttling
