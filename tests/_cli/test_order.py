from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from typing import Any

import click
import pytest

from nimble_stop import StreamingSession, StreamingSessionState, UnexpectedStateError
from nimble_stop._cli.failures import advice
from nimble_stop._cli.order import explain_restart, new_run_id, resume_advice, resume_command
from nimble_stop._cli.selection import Filters
from nimble_stop._cli.settings import Settings
from tests._cli.support import make_order


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"everything": True}, "not both"),
        ({"session_ids": ()}, "at least one session"),
        ({"filters": Filters(states=("READY",))}, "--all sessions"),
        ({"session_ids": ("a", "-")}, "standard input"),
        ({"run_id": ""}, "--run-id"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    """The message says what excludes what."""
    with pytest.raises(click.UsageError, match=words):
        make_order(**changes)


def test_one_session_that_is_named_is_single() -> None:
    """Standard input and several names are several, however many there are in the end."""
    assert make_order().single == "artist-1"
    assert make_order(session_ids=("a", "b")).single is None
    stdin = make_order(session_ids=("-",))
    assert (stdin.single, stdin.from_stdin) == (None, True)


def test_a_run_id_tells_when_and_is_new() -> None:
    """It is readable, short enough for any log, and two of the same second differ."""
    now = datetime(2026, 11, 23, 20, 0, 1, tzinfo=UTC)
    ids = {new_run_id(now) for _ in range(5)}
    assert len(ids) > 1
    assert all(re.fullmatch(r"stop-20261123-200001-[0-9a-f]{4}", run_id) for run_id in ids)
    assert new_run_id().startswith("stop-2")


@pytest.mark.parametrize(
    ("words", "resumed"),
    [
        (["stop", "s", "a"], ["stop", "s", "a", "--run-id", "new id"]),
        (["stop", "s", "--run-id", "old", "a"], ["stop", "s", "a", "--run-id", "new id"]),
        (["stop", "--run-id=old", "s", "a b"], ["stop", "s", "a b", "--run-id", "new id"]),
        (["stop", "s", "--", "--run-id"], ["stop", "s", "--run-id", "new id", "--", "--run-id"]),
    ],
)
def test_the_command_that_resumes_is_the_same_with_the_run_id(
    words: list[str], resumed: list[str]
) -> None:
    """A shell reads it back to the same words; an older run id is replaced."""
    assert shlex.split(resume_command(words, "new id")) == ["nimble-stop", *resumed]


def test_the_advice_fits_the_run() -> None:
    """Ids on standard input are needed again, and an endpoint in memory has nothing to resume."""
    settings = Settings(words=("stop", "s", "-"))
    assert resume_advice(make_order(), settings) == (
        "To resume: nimble-stop stop s - --run-id run-1"
    )
    stdin = make_order(session_ids=("-",))
    assert resume_advice(stdin, settings, "To go on").startswith(
        "To go on with the same ids on standard input: nimble-stop "
    )
    assert "nimble-stop" not in resume_advice(make_order(), Settings(local=":memory:"))


def test_only_a_session_that_is_ready_again_needs_another_run_id() -> None:
    """The advice is for a run id that an earlier run may have had, and for READY."""
    ready = StreamingSession(state=StreamingSessionState.READY)
    deleted = StreamingSession(state=StreamingSessionState.DELETED)
    advised: list[bool] = []
    for order, session in (
        (make_order(resumed=True), ready),
        (make_order(resumed=True), deleted),
        (make_order(resumed=True), None),
        (make_order(), ready),
    ):
        error = UnexpectedStateError("x", session=session)
        explain_restart(error, order)
        advised.append("another --run-id" in advice(error))
    assert advised == [True, False, False, False]
