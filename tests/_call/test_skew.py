from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given, strategies as st

from nimble_stop._call.skew import ClockSkew
from nimble_stop.exceptions import (
    AccessDeniedException,
    ConflictException,
    NimbleStopError,
    ReadTimeoutError,
    ServiceError,
)
from tests.support.clock import START

HOUR = 3600.0


def dated(epoch: float) -> dict[str, str]:
    """Give the Date header of a moment."""
    return {"date": formatdate(epoch, usegmt=True)}


@pytest.mark.parametrize("ahead", [-400 * 24 * HOUR, -HOUR, -300, -1, 0, 1, 300, HOUR, 86_400])
@pytest.mark.parametrize("took", [0.0, 2.0, 900.0])
def test_learned(ahead: float, took: float) -> None:
    """The skew is the answer's date less the midpoint of the round trip."""
    skew = ClockSkew(enabled=True)
    skew.observe(dated(START + ahead), START - took / 2, START + took / 2)

    assert skew.seconds == ahead


def test_unknown_at_first() -> None:
    """Without an answer there is no skew."""
    assert ClockSkew(enabled=True).seconds == 0


def test_forgotten() -> None:
    """Every usable date replaces what was learned before."""
    skew = ClockSkew(enabled=True)
    skew.observe(dated(START + HOUR), START, START)
    skew.observe(dated(START), START, START)

    assert skew.seconds == 0


# Headers, and when the request went out and the answer was there.
UNUSABLE: dict[str, tuple[dict[str, str], float, float]] = {
    "no date": ({}, START, START),
    "an empty date": ({"date": ""}, START, START),
    "no date at all": ({"date": "yesterday"}, START, START),
    "an age": ({**dated(START), "age": "0"}, START, START),
    "an age that is none": ({**dated(START), "age": ""}, START, START),
    "a long way": (dated(START), START, START + 900.5),
    "a clock that was put back": (dated(START), START, START - 1),
    "the last year there is": ({"date": "Fri, 31 Dec 9999 23:59:59 GMT"}, START, START),
    "another century": (dated(START + 200 * 366 * 86_400), START, START),
}


@pytest.mark.parametrize(("headers", "sent", "received"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_answers(headers: dict[str, str], sent: float, received: float) -> None:
    """An answer from a cache, without a date, or with an absurd one teaches nothing."""
    skew = ClockSkew(enabled=True)
    skew.observe(dated(START + HOUR), START, START)
    skew.observe(headers, sent, received)

    assert skew.seconds == HOUR


def service_error(code: str) -> ServiceError:
    """Make an error of a code."""
    return (
        AccessDeniedException("no") if code == "AccessDeniedException" else ServiceError(code=code)
    )


SKEW_CODES = """
    InvalidSignatureException SignatureDoesNotMatch AuthFailure RequestTimeTooSkewed
    AccessDeniedException
"""
OTHERS: list[NimbleStopError] = [
    ServiceError(code="ExpiredTokenException"),
    ServiceError(code="RequestExpired"),
    ServiceError(code="UnrecognizedClientException"),
    ConflictException("no"),
    ReadTimeoutError("no"),
]


def after(ahead: float, *, enabled: bool = True) -> ClockSkew:
    """Make a skew that was learned."""
    skew = ClockSkew(enabled=enabled)
    skew.observe(dated(START + ahead), START, START)
    return skew


@pytest.mark.parametrize("code", SKEW_CODES.split())
@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(241, True), (-241, True), (HOUR, True), (240, False), (-240, False), (0, False)],
)
def test_explains(code: str, ahead: float, *, expected: bool) -> None:
    """A refused signature is explained by a skew of more than four minutes."""
    assert after(ahead).explains(service_error(code), 0.0) is expected


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_explains_nothing_else(error: NimbleStopError) -> None:
    """No other failure is explained by a skew."""
    assert not after(HOUR).explains(error, 0.0)


def test_does_not_explain_twice() -> None:
    """An attempt that was signed with the skew failed for another reason."""
    assert not after(HOUR).explains(service_error("AccessDeniedException"), HOUR)


def test_explains_a_clock_put_right() -> None:
    """A skew that was learned and is no more explains a refusal as well."""
    assert after(0).explains(service_error("InvalidSignatureException"), HOUR)


def test_turned_off() -> None:
    """Turned off, it learns and explains nothing."""
    skew = after(HOUR, enabled=False)

    assert skew.seconds == 0
    assert not skew.explains(service_error("InvalidSignatureException"), HOUR)


@given(st.text(), st.floats(0, 4e9), st.floats(0, 1000))
def test_any_date(date: str, sent: float, took: float) -> None:
    """Whatever stands in the header, no answer makes a skew that cannot be signed with."""
    skew = ClockSkew(enabled=True)
    skew.observe({"date": date}, sent, sent + took)

    assert abs(skew.seconds) < 5e9
