"""What a command ends with: an exit code, and a sentence on standard error if it failed.

The rule of this module: whatever happens, standard error gets one sentence that says what, which
request and what to do next, and never a traceback unless ``--debug`` asks for it. With JSON output
the sentence comes as one JSON object on one line. It names options of the command line where the
library names arguments, and no secret is in anything that is written.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Final, Self, cast

from nimble_stop import exceptions
from nimble_stop._cli.terminal import writing
from nimble_stop._cli.terminal.writing import Output
from nimble_stop.models import StreamingSession, member_name

PROGRAM: Final = "nimble-stop"
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
    (exceptions.DeadlineExceededError, "Allow more time with --deadline, or repeat the command."),
    ((exceptions.TLSError, exceptions.ProxyError), None),
    (exceptions.TransportError, "Check the network and --endpoint-url, then repeat the command."),
    (exceptions.NimbleStopError, None),
    (OSError, "Check where its input comes from and its output goes to, then repeat the command."),
)
_MISTAKE: Final = "This is a mistake in nimble-stop: please report it with what --debug shows."
# What every exception has; and what is written under the same names, in the command line's words.
_NO_ATTRIBUTES: Final = frozenset({*dir(Exception()), "message", "advice"})
# An answer that cannot be understood may be a whole page; its beginning says whose it is.
_LONGEST_BODY: Final = 4096
_SECRETS: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
# AWS's have 40 characters and more. A short one, as tests use, may be a word of any sentence.
_SHORTEST_SECRET: Final = 16


class SomeFailedError(Exception):
    """Some sessions of several failed; the result of each says why."""


class CommandError(Exception):
    """A command ended in an error, and what to do next in this very case is known."""

    def __init__(self, error: BaseException, next_step: str) -> None:
        super().__init__(error, next_step)
        self.error = error
        self.next_step = next_step


class ExitCode(IntEnum):
    """What the program ends with, what that means, and the exceptions that come to it."""

    meaning: str
    kinds: tuple[type[BaseException], ...]

    OK = 0, "done", BrokenPipeError
    SOME_FAILED = 1, "some sessions of several failed", SomeFailedError
    USAGE = 2, "the command line is wrong", exceptions.RequestValidationError
    DEADLINE = 124, "the deadline is over", exceptions.DeadlineExceededError
    INTERRUPTED = 130, "interrupted", KeyboardInterrupt
    CONFIGURATION = 253, "configuration or credentials", exceptions.ConfigurationError
    REFUSED = 254, "the service refused", exceptions.ServiceError
    OTHER = 255, "anything else", BaseException

    def __new__(cls, code: int, meaning: str, *kinds: type[BaseException]) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.kinds = kinds
        return member


def report(
    failure: BaseException, output: Output = Output.TABLE, *, debug: bool = False
) -> ExitCode:
    """Write what went wrong, for a person or for a program, and give the exit code."""
    error, next_step = failure, ""
    if isinstance(failure, CommandError):
        error, next_step = failure.error, failure.next_step
    code = next(code for code in ExitCode if isinstance(error, code.kinds))
    if code is ExitCode.OK:
        # The reader of our output has what it wanted.
        return code
    if debug and error.__traceback__ is not None:
        writing.note_lines(without_secrets("".join(traceback.format_exception(error)).rstrip()))
    sentence = f"{PROGRAM}: {headline(error)} {advice(error)}".rstrip()
    if output is not Output.TABLE:
        described = {**error_document(error), "next": next_step or None}
        text = writing.to_json({"error": described, "exitCode": code})
    elif writing.is_terminal(sys.stderr):
        # A command to be copied stands on a line of its own, and whole.
        text = f"{writing.folded(sentence)}\n{next_step}"
    else:
        text = f"{sentence} {next_step}"
    writing.note_lines(without_secrets(text.rstrip()))
    return code


def message(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if isinstance(error, exceptions.NimbleStopError):
        return _in_our_words(error, error.message)
    if isinstance(error, SomeFailedError):
        return str(error)
    text = writing.one_line(str(error))
    if isinstance(error, OSError):
        return _closed(f"Reading or writing failed: {error.strerror or text}")
    return _closed(f"Unexpected {type(error).__name__}{f': {text}' if text else ''}")


def headline(error: BaseException) -> str:
    """Say what happened on one line, with the details of the request if there was one."""
    if isinstance(error, exceptions.NimbleStopError):
        return _closed(writing.one_line(_in_our_words(error, str(error))))
    return message(error)


def advice(error: BaseException) -> str:
    if isinstance(error, (KeyboardInterrupt, SomeFailedError)):
        # The next step names the command to go on with; a note would name Python's arguments.
        return ""
    if notes := getattr(error, "__notes__", None):
        return " ".join(notes)
    given = next((text for kind, text in _ADVICE if isinstance(error, kind)), _MISTAKE)
    own: str = getattr(error, "advice", "")
    return given or own.replace("with the same client token", "with the same --run-id")


def _in_our_words(error: exceptions.NimbleStopError, text: str) -> str:
    """Name the option instead of the argument, and say why the last attempt failed."""
    argument = (isinstance(error, exceptions.RequestValidationError) and error.argument) or ""
    if argument in _OPTIONS and text.startswith(argument):
        return f"{_OPTIONS[argument]}{text.removeprefix(argument)}"
    cause: BaseException | None = error
    while isinstance(cause, exceptions.DeadlineExceededError):
        cause = cause.__cause__
    if cause is not error and isinstance(cause, exceptions.NimbleStopError):
        return f"{text} The last attempt failed: {cause}"
    return text


def _closed(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def error_document(error: BaseException) -> dict[str, Any]:
    """Describe an error; one of the library has its attributes, properties too."""
    names = dir(error) if isinstance(error, exceptions.NimbleStopError) else ()
    return {
        "type": type(error).__name__,
        "message": message(error),
        "advice": advice(error) or None,
        **{
            member_name(name): _plain(getattr(error, name))
            for name in names
            if not name.startswith("_") and name not in _NO_ATTRIBUTES
        },
    }


def _plain(value: object) -> object:
    if isinstance(value, StreamingSession):
        return value.to_dict()
    if isinstance(value, bytes):
        return value[:_LONGEST_BODY].decode(errors="backslashreplace")
    return dict(cast("Mapping[str, str]", value)) if isinstance(value, Mapping) else value


def without_secrets(text: str) -> str:
    """Strike out the secrets that the environment holds, should a text quote one."""
    for name in _SECRETS:
        value = os.environ.get(name, "")
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, f"({name})")
    return text


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


@contextmanager
def log_lines() -> Generator[None]:
    """Show the library's log lines; no other library's, which may hold secrets."""
    logger = logging.getLogger("nimble_stop")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
