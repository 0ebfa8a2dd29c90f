from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given, strategies as st

from nimble_stop import RetryPolicy
from nimble_stop._config.retry_policy import is_throttling
from nimble_stop.exceptions import (
    AccessDeniedException,
    ConfigurationError,
    ConflictException,
    ConnectionLostError,
    ConnectTimeoutError,
    InternalServerErrorException,
    NimbleStopError,
    ProxyError,
    ReadTimeoutError,
    ResponseDecodeError,
    ServiceError,
    ThrottlingException,
    TLSError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# The numbers of AWS's standard mode: the base in seconds, the nth retry, the limit before jitter.
LIMITS: list[tuple[NimbleStopError, int, float]] = [
    (InternalServerErrorException("no"), 1, 0.05),
    (InternalServerErrorException("no"), 2, 0.1),
    (InternalServerErrorException("no"), 3, 0.2),
    (InternalServerErrorException("no"), 9, 12.8),
    (InternalServerErrorException("no"), 10, 20.0),
    (InternalServerErrorException("no"), 100_000, 20.0),
    (ConnectionLostError("no"), 1, 0.05),
    (ReadTimeoutError("no"), 2, 0.1),
    (ThrottlingException("no"), 1, 1.0),
    (ThrottlingException("no"), 2, 2.0),
    (ThrottlingException("no"), 5, 16.0),
    (ThrottlingException("no"), 6, 20.0),
]


@pytest.mark.parametrize("random_number", [0.0, 0.25, 0.5, 0.999])
@pytest.mark.parametrize(("error", "retry", "limit"), LIMITS)
def test_delays(error: NimbleStopError, retry: int, limit: float, random_number: float) -> None:
    """The delay is a random part of an exponential backoff, at most 20 seconds."""
    assert RetryPolicy().delay(retry, error, lambda: random_number) == pytest.approx(
        random_number * limit
    )


def asking_to_wait(
    kind: Callable[[str], ServiceError], seconds: float, *, by_aws: bool
) -> ServiceError:
    """Make an error that asks to wait."""
    error = kind("no")
    error.retry_after, error.asked_by_aws = seconds, by_aws
    return error


# Seconds asked for, by AWS's own header or not, and the delay where our own would be 0.5 s.
ASKED: list[tuple[float, bool, float]] = [
    (0, True, 0.5),
    (0.2, True, 0.5),
    (0.5, True, 0.5),
    (3, True, 3.0),
    (5.5, True, 5.5),
    (5.6, True, 5.5),
    (1e9, True, 5.5),
    (0, False, 0.5),
    (3, False, 3.0),
    (7, False, 7.0),
    (20, False, 20.0),
    (21, False, 20.0),
    (1e9, False, 20.0),
]


@pytest.mark.parametrize(("seconds", "by_aws", "expected"), ASKED)
def test_asked_to_wait(seconds: float, *, by_aws: bool, expected: float) -> None:
    """AWS's own header adds up to five seconds to the delay; the general one counts up to 20."""
    error = asking_to_wait(ThrottlingException, seconds, by_aws=by_aws)

    assert RetryPolicy().delay(1, error, lambda: 0.5) == expected


@given(
    retry=st.integers(1, 10_000),
    seconds=st.none() | st.floats(0, 1e12),
    by_aws=st.booleans(),
    random_number=st.floats(0, 1, exclude_max=True),
)
def test_delays_are_bounded(
    *, retry: int, seconds: float | None, by_aws: bool, random_number: float
) -> None:
    """No delay is negative, or longer than 25 seconds."""
    error = ThrottlingException("no")
    error.retry_after, error.asked_by_aws = seconds, by_aws

    assert 0 <= RetryPolicy().delay(retry, error, lambda: random_number) <= 25


def test_own_numbers() -> None:
    """A policy's own numbers count."""
    policy = RetryPolicy(base_delay=0.5, throttling_base_delay=3, max_backoff=4)

    assert policy.delay(1, ConnectionLostError("no"), lambda: 1.0) == 0.5
    assert policy.delay(1, ThrottlingException("no"), lambda: 1.0) == 3
    assert policy.delay(2, ThrottlingException("no"), lambda: 1.0) == 4
    assert policy.delay(1, asking_to_wait(ConflictException, 9, by_aws=False), lambda: 1.0) == 4


WORTH_IT: list[tuple[NimbleStopError, bool]] = [
    (InternalServerErrorException("no"), True),
    (ThrottlingException("no"), True),
    (ConnectionLostError("no"), True),
    (ConnectTimeoutError("no"), True),
    (ReadTimeoutError("no"), True),
    (ProxyError("no"), True),
    (TLSError("no"), False),
    (ConflictException("no"), False),
    (AccessDeniedException("no"), False),
    (ServiceError("no", code="Unheard"), False),
    (ResponseDecodeError("no"), False),
    (ConfigurationError("no"), False),
]


@pytest.mark.parametrize(("error", "expected"), WORTH_IT)
def test_what_is_retried(error: NimbleStopError, *, expected: bool) -> None:
    """Only what is known to be worth it is retried."""
    assert RetryPolicy().retries(error) is expected


def test_conflicts_are_opt_in() -> None:
    """A conflict is retried when asked for, and nothing else is by that."""
    policy = RetryPolicy(retry_conflicts=True)

    assert policy.retries(ConflictException("no"))
    assert not policy.retries(AccessDeniedException("no"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_attempts", 0),
        ("max_attempts", -1),
        ("max_attempts", 1.5),
        ("max_attempts", "3"),
        ("max_attempts", True),
        ("base_delay", 0),
        ("base_delay", -1),
        ("throttling_base_delay", float("inf")),
        ("max_backoff", float("nan")),
        ("max_backoff", "20"),
    ],
)
def test_bad_policies(name: str, value: Any) -> None:  # noqa: ANN401 - whatever a caller passes
    """A number out of its range is refused by its name."""
    with pytest.raises(ValueError, match=f"^{name} must be "):
        RetryPolicy(**{name: value})


def test_policy_is_frozen() -> None:
    """A policy cannot be changed, and three attempts are made by default."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RetryPolicy().max_attempts = 5  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    assert RetryPolicy().max_attempts == 3


def test_throttling() -> None:
    """Only a service's answer can be throttling."""
    assert is_throttling(ThrottlingException("no"))
    assert not is_throttling(InternalServerErrorException("no"))
    assert not is_throttling(ConnectionLostError("no"))


TRANSIENT, THROTTLED = ConnectionLostError("no"), ThrottlingException("no")
