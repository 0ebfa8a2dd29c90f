"""What a command ends with: an exit code, and a sentence on standard error if it failed.

The rule of this module: whatever happens, standard error gets one sentence that says what, which
request and what to do next, and never a traceback unless ``--debug`` asks for it. With JSON output
the sentence comes as one JSON object on one line.
"""

from __future__ import annotations

import json
import sys
import traceback
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Self

from nimble_stop._cli.terminal.documents import failure_document
from nimble_stop._cli.terminal.logs import without_secrets
from nimble_stop._cli.terminal.wording import SomeFailedError, advice, headline
from nimble_stop._cli.terminal.writing import Output, folded, is_terminal, note
from nimble_stop.exceptions import (
    ConfigurationError,
    DeadlineExceededError,
    RequestValidationError,
    ServiceError,
)

if TYPE_CHECKING:
    from nimble_stop._cli.global_options import GlobalOptions

PROGRAM: Final = "nimble-stop"


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
    """A command ended in an error, and what to do next in this very case is known.

    Args:
        error: What went wrong.
        next_step: What to do next, behind the general advice.
    """

    def __init__(self, error: BaseException, next_step: str) -> None:
        super().__init__(error, next_step)
        self.error = error
        self.next_step = next_step


def exit_code(error: BaseException) -> ExitCode:
    """Choose the exit code that an error stands for."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ExitCode.OTHER


def report(failure: BaseException, options: GlobalOptions) -> ExitCode:
    """Write what went wrong, for a person or for a program.

    Args:
        failure: What went wrong, or a `CommandError` about it.
        options: Say in which form.

    Returns:
        The exit code that it stands for.
    """
    error, next_step = failure, ""
    if isinstance(failure, CommandError):
        error, next_step = failure.error, failure.next_step
    code = exit_code(error)
    if options.debug and error.__traceback__ is not None:
        _write("".join(traceback.format_exception(error)).rstrip())
    if options.output is Output.TABLE:
        sentence = _joined(f"{PROGRAM}: {headline(error)}", advice(error))
        if is_terminal(sys.stderr):
            # A command to be copied stands on a line of its own, and whole.
            _write("\n".join(part for part in (folded(sentence), next_step) if part))
        else:
            _write(_joined(sentence, next_step))
    else:
        _write(json.dumps(failure_document(error, code, next_step)))
    return code


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _write(text: str) -> None:
    note(without_secrets(text))
