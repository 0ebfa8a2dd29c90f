from __future__ import annotations

from hashlib import sha256
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from nimble_stop import StopResult, VolumeRetentionMode
from nimble_stop._flows.results import BulkOptions, derived_token, invalid_id
from nimble_stop.exceptions import RequestValidationError


def options(**given_: Any) -> BulkOptions:  # noqa: ANN401 - the options of a run
    """Make the options of a run."""
    arguments: dict[str, Any] = {
        "studio_id": "studio-1",
        "retention": None,
        "run_id": "night",
        "max_concurrency": 8,
        **given_,
    }
    return BulkOptions(wait=False, **arguments)


def test_result_is_a_value() -> None:
    """Results are frozen values: equal when all they hold is equal."""
    result = StopResult(session_id="a", session=None, error=None, client_token="t", attempts=1)
    assert result == attrs.evolve(result)
    assert result != attrs.evolve(result, repeated=True)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        result.attempts = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [
        {"studio_id": ""},
        {"retention": "KEEP"},
        {"run_id": 7},
        {"run_id": "\ud800"},
        {"max_concurrency": 0},
        {"max_concurrency": 2.5},
    ],
    ids=str,
)
def test_refused(wrong: dict[str, Any]) -> None:
    """Options that no session can be stopped with are refused."""
    with pytest.raises(RequestValidationError):
        options(**wrong)


def test_tokens() -> None:
    """A token is made of run id, studio, session and retention, and of nothing else."""
    token = derived_token("run", "studio", "session", None)

    assert token == sha256(b'["run", "studio", "session", null]').hexdigest()
    assert len(token) == 64
    others = [
        derived_token("run2", "studio", "session", None),
        derived_token("run", "studio2", "session", None),
        derived_token("run", "studio", "session2", None),
        derived_token("run", "studio", "session", "RETAIN"),
        derived_token("run", "studio", "session", "DELETE"),
        derived_token("studio", "run", "session", None),
        derived_token("run", "studio", "session", "None"),
        derived_token('run", "studio', "studio", "session", None),
    ]
    assert len({token, *others}) == len(others) + 1
    assert derived_token("run", "studio", "session", VolumeRetentionMode.RETAIN) == others[3]


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_tokens_do_not_collide(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Whatever is in the ids, other values give another token."""
    assert (derived_token(*one, None) == derived_token(*other, None)) is (one == other)


def test_token_of_a_run() -> None:
    """A run's options give the token of each of its sessions."""
    given_ = options(retention="RETAIN")
    assert given_.token("a") == derived_token("night", "studio-1", "a", "RETAIN")


@pytest.mark.parametrize("session_id", ["", "..", 7, None, "\ud800"])
def test_invalid_id(session_id: Any) -> None:  # noqa: ANN401 - wrong on purpose
    """An invalid id has a result of its own, with its error and without a token."""
    result = invalid_id(session_id)
    assert result is not None
    assert isinstance(result.error, RequestValidationError)
    assert (result.session, result.client_token, result.attempts) == (None, None, 0)


def test_valid_id() -> None:
    """A valid id has no such result."""
    assert invalid_id("a/b ü") is None
