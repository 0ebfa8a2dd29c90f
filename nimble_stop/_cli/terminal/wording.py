"""Errors in the command line's own words: what happened, and what to do next.

The library speaks of arguments in Python. An error says which argument it is about, and here the
option or the word of the command line takes its place.
"""

from __future__ import annotations

from typing import Final

from nimble_stop._cli.terminal.text import one_line
from nimble_stop.exceptions import (
    DeadlineExceededError,
    NimbleStopError,
    RequestValidationError,
    TransportError,
)

_OPTIONS: Final = {
    "region_name": "--region",
    "profile_name": "--profile",
    "endpoint_url": "--endpoint-url",
    "studio_id": "STUDIO_ID",
    "session_id": "SESSION_ID",
    "session_ids": "SESSION_ID",
    "owned_by": "--owned-by",
    "created_by": "--created-by",
    "retention": "--retention",
    "run_id": "--run-id",
    "max_concurrency": "--max-concurrency",
    "deadline": "--deadline",
}
_ADVICE: Final = (
    (DeadlineExceededError, "Allow more time with --deadline, or repeat the command."),
    (TransportError, "Check the network and --endpoint-url, then repeat the command."),
)


class SomeFailedError(Exception):
    """Some sessions of several failed; the result of each says why."""


def message(error: BaseException) -> str:
    """Say what happened."""
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if isinstance(error, NimbleStopError):
        return _in_our_words(error, error.message)
    if isinstance(error, SomeFailedError):
        return str(error)
    if isinstance(error, OSError):
        return _closed(f"Reading or writing failed: {error.strerror or one_line(str(error))}")
    text = one_line(str(error))
    return _closed(f"Unexpected {type(error).__name__}{f': {text}' if text else ''}")


def headline(error: BaseException) -> str:
    """Say what happened on one line, with the details of the request if there was one."""
    if isinstance(error, NimbleStopError):
        return _closed(one_line(_in_our_words(error, str(error))))
    return message(error)


def advice(error: BaseException) -> str:
    """Say what to do next."""
    if isinstance(error, (KeyboardInterrupt, SomeFailedError)):
        # The next step names the command to go on with; a note would name Python's arguments.
        return ""
    for kind, text in _ADVICE:
        if isinstance(error, kind) and type(error).advice == kind.advice:
            return text
    if notes := getattr(error, "__notes__", None):
        return " ".join(notes)
    if isinstance(error, NimbleStopError):
        return error.advice.replace("with the same client token", "with the same --run-id")
    if isinstance(error, OSError):
        return "Check where its input comes from and its output goes to, then repeat the command."
    return "This is a mistake in nimble-stop: please report it with what --debug shows."


def _in_our_words(error: NimbleStopError, text: str) -> str:
    """Name the option instead of the argument, and say why the last attempt failed."""
    argument = isinstance(error, RequestValidationError) and error.argument
    if argument and argument in _OPTIONS and text.startswith(argument):
        return f"{_OPTIONS[argument]}{text.removeprefix(argument)}"
    cause: BaseException | None = error
    while isinstance(cause, DeadlineExceededError):
        cause = cause.__cause__
    if cause is not error and isinstance(cause, NimbleStopError):
        return f"{text} The last attempt failed: {cause}"
    return text


def _closed(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
