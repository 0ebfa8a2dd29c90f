from __future__ import annotations

import re
import shlex

import click
import pytest

from nimble_stop import StreamingSession, StreamingSessionState, UnexpectedStateError
from nimble_stop._cli.stopping.resuming import ResumeHint, RunId
from nimble_stop._cli.terminal.wording import advice


def hint(
    *words: str, run_id: str = "run-1", from_stdin: bool = False, in_memory: bool = False
) -> ResumeHint:
    """Make the hint of a run."""
    return ResumeHint(words=words, run_id=run_id, from_stdin=from_stdin, in_memory=in_memory)


def test_an_empty_run_id_is_refused() -> None:
    """It would name nothing."""
    with pytest.raises(click.UsageError, match="--run-id"):
        RunId.from_option("")


def test_a_run_knows_whether_its_id_was_given() -> None:
    """Only then an earlier run may have had it."""
    assert RunId.from_option("run-1") == RunId("run-1", given=True)
    assert not RunId.from_option(None).given


def test_a_run_id_says_when_and_is_new() -> None:
    """It is readable, short enough for any log, and two of the same second differ."""
    ids = {RunId.from_option(None).text for _ in range(5)}
    assert len(ids) > 1
    assert all(re.fullmatch(r"stop-\d{8}-\d{6}-[0-9a-f]{4}", run_id) for run_id in ids)


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
    assert shlex.split(hint(*words, run_id="new id").command) == ["nimble-stop", *resumed]


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("studio-1", "studio-1"),
        ("it's", "'it'\"'\"'s'"),
        ("x\ny", "$'x\\ny'"),
        ("\x1b'\\", "$'\\x1b\\'\\\\'"),
    ],
)
def test_a_command_is_quoted_for_a_shell(word: str, quoted: str) -> None:
    """A word goes through a shell as it is, and no control character is shown raw."""
    assert hint("stop", word).command == f"nimble-stop stop {quoted} --run-id run-1"


def test_the_hint_fits_the_run() -> None:
    """Ids on standard input are needed again, and an endpoint in memory has nothing to resume."""
    assert hint("stop", "s", "-").text() == "To resume: nimble-stop stop s - --run-id run-1"
    assert (
        hint("stop", "s", "-", from_stdin=True)
        .text("To go on")
        .startswith("To go on with the same ids on standard input: nimble-stop ")
    )
    assert "nimble-stop" not in hint("stop", "s", "a", in_memory=True).text()


def test_only_a_session_that_is_ready_again_needs_another_run_id() -> None:
    """The advice is for a run id that an earlier run may have had, and for READY."""
    ready = StreamingSession(state=StreamingSessionState.READY)
    deleted = StreamingSession(state=StreamingSessionState.DELETED)
    advised: list[bool] = []
    for given, session in ((True, ready), (True, deleted), (True, None), (False, ready)):
        error = UnexpectedStateError("x", session=session)
        RunId("run-1", given=given).explain(error)
        advised.append("another --run-id" in advice(error))
    assert advised == [True, False, False, False]
