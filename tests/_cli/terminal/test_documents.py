from __future__ import annotations

import nimble_stop
from nimble_stop._cli.terminal.documents import error_document, result_document
from tests._cli.support import make_result


def test_an_error_without_a_request_has_no_members_of_one() -> None:
    """Members without a value are left out."""
    assert error_document(KeyboardInterrupt()) == {
        "type": "KeyboardInterrupt",
        "message": "Interrupted.",
    }


def test_a_result_is_an_object() -> None:
    """A program finds the session or the error, and what it needs to go on."""
    assert result_document(make_result(), "run-1") == {
        "sessionId": "artist-1",
        "session": {"state": "STOPPED", "volumeRetentionMode": "RETAIN"},
        "error": None,
        "runId": "run-1",
        "clientToken": "token-1",
        "attempts": 1,
        "repeated": False,
    }
    failed = result_document(make_result(error=nimble_stop.ConflictException("busy")), "run-1")
    assert failed["session"] is None
    assert failed["error"] is not None
