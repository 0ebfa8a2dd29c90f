from __future__ import annotations

from nimble_stop.local.api.answer import refused
from nimble_stop.local.api.refusals import Refusal


def test_an_answer_that_says_no() -> None:
    """It has the refusal's status, code and headers, and a body of JSON."""
    answer = refused(
        Refusal("UnknownOperationException", "No.", status=405, headers={"Allow": "GET"})
    )
    assert (answer.status, answer.error_code) == (405, "UnknownOperationException")
    assert answer.headers == {
        "Content-Type": "application/json",
        "x-amzn-ErrorType": "UnknownOperationException",
        "Allow": "GET",
    }
    assert b'"message": "No."' in answer.body
