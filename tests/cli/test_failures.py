from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import click
import pytest

import nimble_stop
from nimble_stop._cli.failures import (
    ExitCode,
    SomeFailedError,
    advice,
    error_object,
    exit_code,
    guarded,
    headline,
    report,
    without_secrets,
)
from nimble_stop._cli.output import Output
from nimble_stop._cli.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable


def refused() -> nimble_stop.ConflictException:
    """Make an error as the service answers it."""
    error = nimble_stop.ConflictException("Another operation\nis in progress.")
    error.http_status, error.request_id = 409, "request-1"
    error.attempts, error.client_token = 2, "token-1"
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (nimble_stop.RequestValidationError("x"), 2),
        (nimble_stop.ConfigurationError("x"), 253),
        (nimble_stop.DeadlineExceededError("x"), 124),
        (nimble_stop.ConflictException("x"), 254),
        (nimble_stop.ServiceError("x", code="New"), 254),
        (nimble_stop.ReadTimeoutError("x"), 255),
        (nimble_stop.ResponseDecodeError("x"), 255),
        (nimble_stop.StopFailedError("x"), 255),
        (nimble_stop.UnexpectedStateError("x"), 255),
        (SomeFailedError("x"), 1),
        (KeyboardInterrupt(), 130),
        (RuntimeError("x"), 255),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: int) -> None:
    """The exit codes are those of the contract."""
    assert exit_code(error) == code


def test_an_error_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what, which request and what to do next, on one line."""
    assert report(refused(), Settings(), next_step="Then smile.") == 254
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "nimble-stop: ConflictException: Another operation is in progress (HTTP 409, request id "
        "request-1, 2 attempts). Look at the session's state; repeat when the other operation has "
        "ended. Then smile.\n"
    )


def test_an_error_for_programs_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    """With JSON output the same comes as one JSON object on one line of standard error."""
    assert report(refused(), Settings(output=Output.JSONL), next_step="Smile.") == 254
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {
        "error": {
            "type": "ConflictException",
            "code": "ConflictException",
            "message": "Another operation\nis in progress.",
            "httpStatus": 409,
            "requestId": "request-1",
            "clientToken": "token-1",
            "attempts": 2,
            "advice": nimble_stop.ConflictException.advice,
            "next": "Smile.",
        },
        "exitCode": 254,
    }


def test_an_error_without_a_request_has_no_members_of_one() -> None:
    """Members without a value are left out."""
    assert error_object(KeyboardInterrupt()) == {
        "type": "KeyboardInterrupt",
        "message": "Interrupted.",
    }


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (nimble_stop.DeadlineExceededError("x"), "--deadline"),
        (nimble_stop.ConnectionLostError("x"), "--endpoint-url"),
        (nimble_stop.TLSError("x"), "AWS_CA_BUNDLE"),
        (nimble_stop.ThrottlingException("x"), "with the same --run-id"),
        (OSError("x"), "where its input comes from"),
        (RuntimeError("x"), "please report it"),
    ],
)
def test_advice_speaks_the_command_lines_language(error: BaseException, words: str) -> None:
    """Options are named, not Python's arguments; a special case keeps its own advice."""
    assert words in advice(error)
    assert "deadline=" not in advice(error)


def test_errors_name_options_in_place_of_arguments() -> None:
    """A setting in a profile that has an argument's name stays what it is."""
    for text, told in (
        ("region_name is 'x y'", "--region is 'x y'"),
        ("studio_id must be an id", "STUDIO_ID must be an id"),
        ("endpoint_url of profile 'x' is wrong", "endpoint_url of profile 'x' is wrong"),
    ):
        error = nimble_stop.RequestValidationError(text)
        assert headline(error) == f"{told}."
        assert error_object(error)["message"] == told
    assert headline(nimble_stop.ValidationException("studio_id")) == (
        "ValidationException: studio_id."
    )


def test_a_note_on_an_error_is_the_advice() -> None:
    """Whoever knows more about the case puts a note on the error."""
    error = nimble_stop.ConfigurationError("There is no region.")
    error.add_note("Add --local.")
    assert advice(error) == "Add --local."


def test_an_unexpected_error_is_a_sentence_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake of ours shows no traceback."""

    def work() -> int:
        raise RuntimeError("two\nlines")

    assert guarded(Settings(), work) == 255
    _, err = capsys.readouterr()
    assert err.startswith("nimble-stop: Unexpected RuntimeError: two lines. ")
    assert err.count("\n") == 1
    assert headline(RuntimeError()) == "Unexpected RuntimeError."


def test_debug_shows_log_lines_and_the_traceback_without_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's log is shown while the command runs, and secrets are struck out of all."""
    secret = "hush-hush-" * 4
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    logger = logging.getLogger("nimble_stop")
    before = logger.level, list(logger.handlers)

    def work() -> int:
        logger.debug("logged with %s", secret)
        raise RuntimeError(f"quoting {secret}")

    assert guarded(Settings(debug=True), work) == 255
    _, err = capsys.readouterr()
    assert "DEBUG logged with (AWS_SECRET_ACCESS_KEY)" in err
    assert "Traceback (most recent call last)" in err
    assert "quoting (AWS_SECRET_ACCESS_KEY)" in err
    assert "hush-hush" not in err
    assert (logger.level, list(logger.handlers)) == before


@pytest.mark.parametrize("secret", ["", "test"])
def test_text_without_secrets_is_left_alone(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret as short as those of tests is no reason to break a command that is to be copied."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    assert without_secrets("nimble-stop stop studio test-1") == "nimble-stop stop studio test-1"


def test_what_others_handle_passes() -> None:
    """Usage errors and missing packages are told elsewhere."""
    for error in (click.UsageError("x"), ModuleNotFoundError("x")):

        def work(error: Exception = error) -> int:
            raise error

        with pytest.raises(type(error)):
            guarded(Settings(), work)


def test_an_aborted_question_is_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C at a question ends like Ctrl-C anywhere."""

    def work() -> int:
        raise click.Abort

    assert guarded(Settings(), work) is ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "nimble-stop: Interrupted.\n"


def test_debug_shows_no_traceback_where_nothing_was_raised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """That some sessions failed was told of each."""
    assert report(SomeFailedError("Of 2 sessions: 1 failed."), Settings(debug=True)) == 1
    assert capsys.readouterr().err == "nimble-stop: Of 2 sessions: 1 failed.\n"


def test_a_closed_pipe_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever read our output has what they wanted."""

    def work() -> int:
        raise BrokenPipeError

    assert guarded(Settings(), work) == 0
    assert capsys.readouterr().err == ""


def test_in_a_terminal_the_next_command_stands_alone(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence is broken between words, the command to be copied is not."""
    as_terminal("stderr", columns=40)
    command = "To resume: nimble-stop stop studio-1 --all --run-id run-1"
    report(refused(), Settings(), next_step=command)
    *sentence, last = capsys.readouterr().err.splitlines()
    assert last == command
    assert all(len(line) <= 40 for line in sentence)
    report(KeyboardInterrupt(), Settings())
    assert capsys.readouterr().err == "nimble-stop: Interrupted.\n"
