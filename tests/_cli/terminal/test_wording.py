from __future__ import annotations

import pytest

import nimble_stop
from nimble_stop._cli.terminal.wording import SomeFailedError, advice, headline, message


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


def test_some_failures_need_no_advice() -> None:
    """The result of each session has its own."""
    error = SomeFailedError("Of 2 sessions: 1 failed.")
    assert (headline(error), advice(error)) == ("Of 2 sessions: 1 failed.", "")


def test_an_unexpected_error_is_named() -> None:
    """Its type says more than nothing, where it has no message."""
    assert headline(RuntimeError()) == "Unexpected RuntimeError."
    assert headline(RuntimeError("two\nlines")) == "Unexpected RuntimeError: two lines."


def test_an_error_of_the_system_is_its_reason() -> None:
    """A full disk is no mistake of ours."""
    assert headline(OSError(28, "No space left")) == "Reading or writing failed: No space left."


def test_a_note_on_an_error_is_the_advice() -> None:
    """Whoever knows more about the case puts a note on the error."""
    error = nimble_stop.ConfigurationError("There is no region.")
    error.add_note("Add --local.")
    assert advice(error) == "Add --local."
