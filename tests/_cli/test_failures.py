from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import nimble_stop
from nimble_stop._cli.failures import (
    SomeFailedError,
    advice,
    error_object,
    exit_code,
    headline,
    report,
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
        "request-1, 2 attempts). Read the session's state; repeat when the other operation has "
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


def test_an_interrupt_is_told_without_the_librarys_note() -> None:
    """The note on it is for callers in Python; the command to go on with is the next step."""
    interrupt = KeyboardInterrupt()
    interrupt.add_note("StopStreamingSession was broken off; repeat it with client_token='x'")
    assert (headline(interrupt), advice(interrupt)) == ("Interrupted.", "")


def test_an_unexpected_error_is_named() -> None:
    """Its type tells more than nothing, where it has no message."""
    assert headline(RuntimeError()) == "Unexpected RuntimeError."
    assert headline(RuntimeError("two\nlines")) == "Unexpected RuntimeError: two lines."


def test_a_note_on_an_error_is_the_advice() -> None:
    """Whoever knows more about the case puts a note on the error."""
    error = nimble_stop.ConfigurationError("There is no region.")
    error.add_note("Add --local.")
    assert advice(error) == "Add --local."


def test_debug_shows_no_traceback_where_nothing_was_raised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """That some sessions failed was told of each."""
    assert report(SomeFailedError("Of 2 sessions: 1 failed."), Settings(debug=True)) == 1
    assert capsys.readouterr().err == "nimble-stop: Of 2 sessions: 1 failed.\n"


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
