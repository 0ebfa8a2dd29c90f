"""Sessions, results and errors as JSON objects, for programs.

The rule of this module: an object has every public attribute of what it describes, under its name
in camelCase, whether it has a value or not. ``schema.json`` beside this module is the contract; a
change that breaks a reader of it raises `SCHEMA_VERSION`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from nimble_stop._cli.terminal.wording import advice, message
from nimble_stop.exceptions import NimbleStopError
from nimble_stop.models import StreamingSession

if TYPE_CHECKING:
    from nimble_stop import StopResult
    from nimble_stop.local import RequestRecord

SCHEMA_VERSION: Final = 1

# An answer that cannot be understood may be a whole page; its beginning says whose it is.
_LONGEST_BODY: Final = 4096
# What every exception has; and what is written under the same names, in the command line's words.
_OTHERS: Final = frozenset({*dir(Exception()), "message", "advice"})


def document_of(described: StreamingSession | RequestRecord) -> dict[str, Any]:
    """Describe a session in the API's own form, or a request to the embedded endpoint."""
    return {"schemaVersion": SCHEMA_VERSION, **described.to_dict()}


def result_document(result: StopResult, run_id: str) -> dict[str, Any]:
    """Describe one session's result."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "sessionId": result.session_id,
        "session": result.session.to_dict() if result.session else None,
        "error": error_document(result.error) if result.error else None,
        "runId": run_id,
        "clientToken": result.client_token,
        "attempts": result.attempts,
        "repeated": result.repeated,
    }


def failure_document(error: BaseException, exit_code: int, next_step: str) -> dict[str, Any]:
    """Describe what a command ended with."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "error": {**error_document(error), "next": next_step or None},
        "exitCode": exit_code,
    }


def error_document(error: BaseException) -> dict[str, Any]:
    """Describe an error; one of the library has its attributes, properties too."""
    names = dir(error) if isinstance(error, NimbleStopError) else ()
    return {
        "type": type(error).__name__,
        "message": message(error),
        "advice": advice(error) or None,
        **{
            _camel_case(name): _plain(getattr(error, name))
            for name in names
            if not name.startswith("_") and name not in _OTHERS
        },
    }


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _plain(value: object) -> object:
    """Put a value into a form that JSON has."""
    if isinstance(value, StreamingSession):
        return value.to_dict()
    if isinstance(value, bytes):
        return value[:_LONGEST_BODY].decode(errors="backslashreplace")
    return dict(cast("Mapping[str, str]", value)) if isinstance(value, Mapping) else value
