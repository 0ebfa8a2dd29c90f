"""What a command ends with: an exit code, and a sentence on standard error if it failed.

The rule of this module: whatever happens, standard error gets one sentence that says what, which
request and what to do next, and never a traceback unless ``--debug`` asks for it. With JSON output
the sentence comes as one JSON object on one line. No secret is in anything that is written.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Self

from nimble_stop._cli.terminal.documents import failure_document
from nimble_stop._cli.terminal.wording import SomeFailedError, advice, headline
from nimble_stop._cli.terminal.writing import Output, folded, is_terminal, note
from nimble_stop.exceptions import (
    ConfigurationError,
    DeadlineExceededError,
    RequestValidationError,
    ServiceError,
)

if TYPE_CHECKING:
    from collections.abc import Generator

PROGRAM: Final = "nimble-stop"
_SECRETS: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
# AWS's have 40 characters and more. A short one, as tests use, may be a word of any sentence.
_SHORTEST_SECRET: Final = 16


class ExitCode(IntEnum):
    """What the program ends with, and what that means."""

    meaning: str

    OK = 0, "done"
    SOME_FAILED = 1, "some sessions of several failed"
    USAGE = 2, "the command line is wrong"
    DEADLINE = 124, "the deadline is over"
    INTERRUPTED = 130, "interrupted"
    CONFIGURATION = 253, "configuration or credentials"
    REFUSED = 254, "the service refused"
    OTHER = 255, "anything else"

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a number that has a meaning."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


_CODES: Final = (
    (SomeFailedError, ExitCode.SOME_FAILED),
    (RequestValidationError, ExitCode.USAGE),
    (ConfigurationError, ExitCode.CONFIGURATION),
    (DeadlineExceededError, ExitCode.DEADLINE),
    (ServiceError, ExitCode.REFUSED),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
)


class CommandError(Exception):
    """A command ended in an error, and what to do next in this very case is known."""

    def __init__(self, error: BaseException, next_step: str) -> None:
        super().__init__(error, next_step)
        self.error = error
        self.next_step = next_step


def exit_code(error: BaseException) -> ExitCode:
    """Choose the exit code that an error stands for."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.OTHER)


def report(
    failure: BaseException, output: Output = Output.TABLE, *, debug: bool = False
) -> ExitCode:
    """Write what went wrong, for a person or for a program, and give the exit code."""
    error, next_step = failure, ""
    if isinstance(failure, CommandError):
        error, next_step = failure.error, failure.next_step
    code = exit_code(error)
    if debug and error.__traceback__ is not None:
        _write("".join(traceback.format_exception(error)).rstrip())
    sentence = _joined(f"{PROGRAM}: {headline(error)}", advice(error))
    if output is not Output.TABLE:
        _write(json.dumps(failure_document(error, code, next_step)))
    elif is_terminal(sys.stderr):
        # A command to be copied stands on a line of its own, and whole.
        _write("\n".join(part for part in (folded(sentence), next_step) if part))
    else:
        _write(_joined(sentence, next_step))
    return code


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _write(text: str) -> None:
    note(without_secrets(text))


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
