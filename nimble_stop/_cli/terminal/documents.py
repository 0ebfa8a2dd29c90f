"""Errors and results as JSON objects, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nimble_stop._cli.terminal.wording import advice, message

if TYPE_CHECKING:
    from nimble_stop import StopResult


def error_document(error: BaseException) -> dict[str, Any]:
    """Describe an error; members without a value are left out."""
    described = {
        "type": type(error).__name__,
        "code": getattr(error, "code", None),
        "message": message(error),
        "httpStatus": getattr(error, "http_status", None),
        "requestId": getattr(error, "request_id", None),
        "clientToken": getattr(error, "client_token", None),
        "attempts": getattr(error, "attempts", None) or None,
        "outcomeUnknown": getattr(error, "outcome_unknown", None) or None,
        "advice": advice(error) or None,
    }
    return {name: value for name, value in described.items() if value is not None}


def result_document(result: StopResult, run_id: str) -> dict[str, Any]:
    """Describe one session's result."""
    return {
        "sessionId": result.session_id,
        "session": result.session.to_dict() if result.session else None,
        "error": error_document(result.error) if result.error else None,
        "runId": run_id,
        "clientToken": result.client_token,
        "attempts": result.attempts,
        "repeated": result.repeated,
    }
