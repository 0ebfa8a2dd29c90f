"""What went wrong, as one sentence and an exit code.

The rule of this module: whatever happens, standard error gets one sentence that says what, which
request and what to do next, and never a traceback unless ``--debug`` asks for it. With JSON output
the sentence comes as one JSON object on one line.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from nimble_stop._cli.logs import without_secrets
from nimble_stop._cli.output import Output, folded, is_terminal, note
from nimble_stop._cli.text import one_line
from nimble_stop.exceptions import (
    ConfigurationError,
    DeadlineExceededError,
    NimbleStopError,
    RequestValidationError,
    ServiceError,
    TransportError,
)

if TYPE_CHECKING:
    from nimble_stop._cli.settings import Settings

PROGRAM: Final = "nimble-stop"


class ExitCode(IntEnum):
    """What the program ends with."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    DEADLINE = 124
    INTERRUPTED = 130
    CONFIGURATION = 253
    REFUSED = 254
    OTHER = 255


class SomeFailedError(Exception):
    """Some sessions of several failed; each was told when it did."""


_CODES: Final = (
    (SomeFailedError, ExitCode.SOME_FAILED),
    (RequestValidationError, ExitCode.USAGE),
    (ConfigurationError, ExitCode.CONFIGURATION),
    (DeadlineExceededError, ExitCode.DEADLINE),
    (ServiceError, ExitCode.REFUSED),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
)
# The library speaks of arguments in Python; here they are words of the command line.
_ADVICE: Final = (
    (DeadlineExceededError, "Allow more time with --deadline, or repeat the command."),
    (TransportError, "Check the network and --endpoint-url, then repeat the command."),
)
_ARGUMENTS: Final = {
    "region_name": "--region",
    "profile_name": "--profile",
    "endpoint_url": "--endpoint-url",
    "studio_id": "STUDIO_ID",
    "session_id": "SESSION_ID",
    "owned_by": "--owned-by",
    "created_by": "--created-by",
    "deadline": "--deadline",
}
_ARGUMENT: Final = re.compile(rf"(?:the argument )?\b({'|'.join(_ARGUMENTS)})\b(?! of )")
_PYTHON_ONLY: Final = re.compile(r"at the argument credentials, |, or pass credentials=\S+(?=\.)")


def exit_code(error: BaseException) -> ExitCode:
    """Choose the exit code that an error stands for."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ExitCode.OTHER


def advice(error: BaseException) -> str:
    """Say what to do next."""
    if isinstance(error, (KeyboardInterrupt, SomeFailedError)):
        # Whoever tells of it knows the command to go on with, and a note names Python's arguments.
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


def headline(error: BaseException) -> str:
    """Say what happened, with the request's id if there was one."""
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    text = one_line(_translated(error, str(error)))
    if isinstance(error, NimbleStopError):
        return _closed(text)
    if isinstance(error, SomeFailedError):
        return text
    if isinstance(error, OSError):
        return _closed(f"Reading or writing failed: {error.strerror or text}")
    return _closed(f"Unexpected {type(error).__name__}{f': {text}' if text else ''}")


def _translated(error: BaseException, text: str) -> str:
    """Put options where an error of the arguments or the configuration speaks of Python."""
    if isinstance(error, (ConfigurationError, RequestValidationError)):
        text = _PYTHON_ONLY.sub("", text)
        return _ARGUMENT.sub(lambda match: _ARGUMENTS[match[1]], text)
    return text


def _closed(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def error_object(error: BaseException) -> dict[str, Any]:
    """Describe an error for programs; members without a value are left out."""
    described = {
        "type": type(error).__name__,
        "code": getattr(error, "code", None),
        "message": _translated(error, error.message)
        if isinstance(error, NimbleStopError)
        else headline(error),
        "httpStatus": getattr(error, "http_status", None),
        "requestId": getattr(error, "request_id", None),
        "clientToken": getattr(error, "client_token", None),
        "attempts": getattr(error, "attempts", None) or None,
        "outcomeUnknown": getattr(error, "outcome_unknown", None) or None,
        "advice": advice(error) or None,
    }
    return {name: value for name, value in described.items() if value is not None}


def report(error: BaseException, settings: Settings, *, next_step: str = "") -> ExitCode:
    """Tell the person, or the program, what went wrong.

    Args:
        error: What went wrong.
        settings: Say in which form.
        next_step: What to do next in this very case, behind the general advice.

    Returns:
        The exit code that it stands for.
    """
    code = exit_code(error)
    if settings.debug and error.__traceback__ is not None:
        _tell("".join(traceback.format_exception(error)).rstrip())
    if settings.output is Output.TABLE:
        sentence = _joined(f"{PROGRAM}: {headline(error)}", advice(error))
        if is_terminal(sys.stderr):
            # A command to be copied stands on a line of its own, and whole.
            _tell("\n".join(part for part in (folded(sentence), next_step) if part))
        else:
            _tell(_joined(sentence, next_step))
    else:
        described = error_object(error) | ({"next": next_step} if next_step else {})
        _tell(json.dumps({"error": described, "exitCode": int(code)}))
    return code


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _tell(text: str) -> None:
    note(without_secrets(text))
