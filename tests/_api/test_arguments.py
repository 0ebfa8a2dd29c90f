from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from nimble_stop._api.arguments import (
    checked_client_token,
    checked_count,
    checked_id,
    checked_ids,
    checked_retention,
    checked_seconds,
    checked_text,
)
from nimble_stop.exceptions import RequestValidationError
from nimble_stop.models import SessionBackupMode, VolumeRetentionMode

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD_IDS = ["session-1", "a b", "a/b", "../x", "%2e%2e", "...", "\n", "\x00", "日本", "x" * 1500]
BAD_IDS: list[object] = ["", ".", "..", None, 1, b"session-1", ["session-1"], "\ud800", "a\udfff"]
GOOD_TOKENS = [
    "a",
    "token-1",
    "a b",
    "~",
    "!",
    "x" * 64,
    "a" + " " * 62 + "b",
    "\\",
    '"',
    "é"[:0] + "e",
]
BAD_TOKENS: list[object] = [
    "",
    " ",
    " a",
    "a ",
    "x" * 65,
    "a\n",
    "a\nb",
    "a\r\nX-Evil: 1",
    "a\r\n folded",
    "a\tb",
    "a\x00b",
    "a\x7f",
    "é",
    "日本",
    "\ud800",
    None,
    1,
    b"token",
]
BAD_RETENTIONS: list[object] = ["", "retain", "KEEP", "RETAIN ", 1, b"RETAIN", True, ["RETAIN"]]
BAD_SECONDS: list[object] = [
    0,
    0.0,
    -1,
    float("nan"),
    float("inf"),
    float("-inf"),
    10**400,
    "1",
    None,
    True,
    b"1",
    1 + 0j,
]
BAD_COUNTS: list[object] = [0, -1, 1.0, "1", None, True, float("inf")]


@pytest.mark.parametrize("value", GOOD_IDS)
def test_good_ids(value: str) -> None:
    """Any other text is an id, as it is."""
    assert checked_id("session_id", value) == value


@pytest.mark.parametrize("value", GOOD_TOKENS)
def test_good_tokens(value: str) -> None:
    """A token may hold printable ASCII, with spaces inside, up to 64 characters."""
    assert checked_client_token(value) == value


@pytest.mark.parametrize(
    "value",
    ["RETAIN", "DELETE", VolumeRetentionMode.RETAIN, VolumeRetentionMode.DELETE],
)
def test_good_retentions(value: str) -> None:
    """A retention mode is given as member or as plain string."""
    assert checked_retention(value) is VolumeRetentionMode(value)


def test_no_retention() -> None:
    """No retention mode is allowed."""
    assert checked_retention(None) is None


@pytest.mark.parametrize("value", [1, 0.5, 1e-9, 1e9])
def test_good_seconds(value: float) -> None:
    """A length of time is a number greater than zero, and comes back as a float."""
    seconds = checked_seconds("deadline", value)
    assert seconds == value
    assert type(seconds) is float


@pytest.mark.parametrize("value", [1, 64, 10**30])
def test_good_counts(value: int) -> None:
    """A count is a whole number from 1."""
    assert checked_count("max_attempts", value) == value


REFUSALS: list[tuple[Callable[[object], object], str, list[object], str]] = [
    (lambda value: checked_id("studio_id", value), "studio_id", BAD_IDS, "must be"),
    (lambda value: checked_text("owned_by", value), "owned_by", [None, 1, "\ud800"], "must be"),
    (checked_client_token, "client_token", BAD_TOKENS, "1 to 64 printable ASCII"),
    (checked_retention, "retention", BAD_RETENTIONS, "'RETAIN', 'DELETE' or None"),
    (checked_retention, "retention", [VolumeRetentionMode("NEW"), SessionBackupMode.AUTOMATIC], ""),
    (lambda value: checked_seconds("deadline", value), "deadline", BAD_SECONDS, "greater than 0"),
    (lambda value: checked_count("max_attempts", value), "max_attempts", BAD_COUNTS, "from 1"),
    (lambda value: checked_ids("session_ids", [value]), "session_ids", BAD_IDS, "must be"),
    (
        lambda value: checked_ids("session_ids", value),
        "session_ids",
        ["abc", b"abc", 5, None],
        "iterable of ids",
    ),
]


@pytest.mark.parametrize(
    ("check", "name", "value", "allowed"),
    [
        (check, name, value, allowed)
        for check, name, values, allowed in REFUSALS
        for value in values
    ],
    ids=lambda value: getattr(value, "__name__", ascii(value)),
)
def test_refusals(
    check: Callable[[object], object], name: str, value: object, allowed: str
) -> None:
    """A bad argument is refused with its name, its value and what is allowed."""
    with pytest.raises(RequestValidationError) as refusal:
        check(value)

    message = str(refusal.value)
    assert message.startswith(f"{name} must be ")
    assert repr(value)[:70] in message
    assert allowed in message


def test_ids_of_any_collection() -> None:
    """Ids come from any iterable, in its order."""
    assert checked_ids("session_ids", iter(["b", "a"])) == ("b", "a")
    assert checked_ids("session_ids", []) == ()


def test_long_values_are_cut() -> None:
    """A message does not quote a value of any length."""
    with pytest.raises(RequestValidationError) as refusal:
        checked_client_token("x" * 100_000)

    assert len(str(refusal.value)) < 250
    assert "100002 long" in str(refusal.value)


@given(st.text(max_size=80))
def test_tokens_never_break_a_header(token: str) -> None:
    """A token that passes is what an HTTP header can hold, unchanged."""
    try:
        checked_client_token(token)
    except RequestValidationError:
        return
    assert 1 <= len(token) <= 64
    assert token == token.strip()
    assert token.isascii()
    assert token.isprintable()
