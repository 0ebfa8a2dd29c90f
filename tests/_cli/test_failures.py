from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

import nimble_stop
from nimble_stop._cli.failures import (
    CommandError,
    ExitCode,
    SomeFailedError,
    advice,
    error_document,
    headline,
    log_lines,
    message,
    report,
    without_secrets,
)
from nimble_stop._cli.terminal.writing import Output

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "hush-hush-" * 4


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
    assert report(error) == code


def test_every_exit_code_has_a_meaning() -> None:
    """They are numbers to the system and sentences in the help."""
    assert int(ExitCode.REFUSED) == 254
    assert all(code.meaning for code in ExitCode)


def test_an_error_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what, which request and what to do next, on one line."""
    assert report(CommandError(refused(), "Then smile.")) == 254
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "nimble-stop: ConflictException: Another operation is in progress (HTTP 409, request id "
        "request-1, 2 attempts). Read the session's state; repeat when the other operation has "
        "ended. Then smile.\n"
    )


def test_an_error_for_programs_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    """With JSON output the same comes as one JSON object on one line of standard error."""
    assert report(CommandError(refused(), "Smile."), Output.JSONL) == 254
    out, err = capsys.readouterr()
    assert out == ""
    shown = json.loads(err)
    assert (shown["schemaVersion"], shown["exitCode"]) == (1, 254)
    assert shown["error"]["code"] == "ConflictException"
    assert shown["error"]["next"] == "Smile."


def test_debug_shows_no_traceback_where_nothing_was_raised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """That some sessions failed was written of each."""
    assert report(SomeFailedError("Of 2 sessions: 1 failed."), debug=True) == 1
    assert capsys.readouterr().err == "nimble-stop: Of 2 sessions: 1 failed.\n"


def test_in_a_terminal_the_next_command_stands_alone(
    as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence is broken between words, the command to be copied is not."""
    as_terminal("stderr", columns=40)
    command = "To resume: nimble-stop stop studio-1 --all --run-id run-1"
    report(CommandError(refused(), command))
    *sentence, last = capsys.readouterr().err.splitlines()
    assert last == command
    assert all(len(line) <= 40 for line in sentence)
    report(KeyboardInterrupt())
    assert capsys.readouterr().err == "nimble-stop: Interrupted.\n"


@pytest.mark.parametrize(
    "write",
    [
        lambda: logging.getLogger("nimble_stop").debug("quoting %s", SECRET),
        lambda: report(RuntimeError(f"quoting {SECRET}")),
    ],
)
def test_no_secret_is_written(
    write: Callable[[], object],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A secret of the environment is struck out of log lines and errors."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with log_lines():
        write()
    _, err = capsys.readouterr()
    assert "quoting (AWS_SECRET_ACCESS_KEY)" in err
    assert "hush" not in err


def test_the_logger_is_put_back() -> None:
    """The lines are shown while the command runs."""
    logger = logging.getLogger("nimble_stop")
    before = logger.level, list(logger.handlers)
    with log_lines():
        assert (logger.level, list(logger.handlers)) != before
    assert (logger.level, list(logger.handlers)) == before


@pytest.mark.parametrize("secret", ["", "test"])
def test_text_without_secrets_is_left_alone(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret as short as those of tests is no reason to break a command that is to be copied."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    assert without_secrets("nimble-stop stop studio test-1") == "nimble-stop stop studio test-1"


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


@pytest.mark.parametrize(
    ("argument", "text", "shown"),
    [
        ("region_name", "region_name is 'x y'.", "--region is 'x y'."),
        ("studio_id", "studio_id must be an id.", "STUDIO_ID must be an id."),
        ("retry", "retry must be a RetryPolicy.", "retry must be a RetryPolicy."),
        ("deadline", "The deadline is over.", "The deadline is over."),
    ],
)
def test_an_option_takes_the_place_of_the_argument(argument: str, text: str, shown: str) -> None:
    """The error says which argument it is about; a text that happens to hold its name is left."""
    error = nimble_stop.RequestValidationError(text, argument=argument)
    assert (headline(error), message(error)) == (shown, shown)
    unnamed = nimble_stop.RequestValidationError(text)
    assert headline(unnamed) == text


def test_an_interrupt_is_reported_without_the_librarys_note() -> None:
    """The note on it is for callers in Python; the command to go on with is the next step."""
    interrupt = KeyboardInterrupt()
    interrupt.add_note("StopStreamingSession was broken off; repeat it with client_token='x'")
    assert (headline(interrupt), advice(interrupt)) == ("Interrupted.", "")


def test_an_unexpected_error_is_named() -> None:
    """Its type says more than nothing, where it has no message."""
    assert headline(RuntimeError()) == "Unexpected RuntimeError."
    assert headline(RuntimeError("two\nlines")) == "Unexpected RuntimeError: two lines."


def test_a_note_on_an_error_is_the_advice() -> None:
    """Whoever knows more about the case puts a note on the error."""
    error = nimble_stop.ConfigurationError("There is no region.")
    error.add_note("Add --local.")
    assert advice(error) == "Add --local."


def test_other_failures_have_only_what_they_say() -> None:
    """An interrupt has no request, and a mistake of ours no advice of the service."""
    assert error_document(KeyboardInterrupt()) == {
        "type": "KeyboardInterrupt",
        "message": "Interrupted.",
        "advice": None,
    }


def test_an_answer_that_cannot_be_understood_is_cut() -> None:
    """Its beginning says who sent it; bytes that are no text are escaped."""
    error = nimble_stop.ResponseDecodeError("x", body=b"\xff" + b"a" * 100_000)
    body = error_document(error)["body"]
    assert body.startswith("\\xffaaa")
    assert len(body) < 5000
