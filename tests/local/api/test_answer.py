from __future__ import annotations

import json

from nimble_stop.local.api.answer import Refusal, refused


def test_a_refusal_has_the_status_of_its_code() -> None:
    """The seven documented errors have the documented statuses."""
    documented = {
        "AccessDeniedException": 403,
        "ConflictException": 409,
        "InternalServerErrorException": 500,
        "ResourceNotFoundException": 404,
        "ServiceQuotaExceededException": 402,
        "ThrottlingException": 429,
        "ValidationException": 400,
    }
    assert {code: Refusal(code, "").status for code in documented} == documented


def test_an_answer_that_says_no() -> None:
    """It has the refusal's status, code and headers, and all three members in its body."""
    answer = refused(
        Refusal("UnknownOperationException", "No.", status=405, headers={"Allow": "GET"})
    )
    assert (answer.status, answer.error_code) == (405, "UnknownOperationException")
    assert answer.headers == {
        "Content-Type": "application/json",
        "x-amzn-ErrorType": "UnknownOperationException",
        "Allow": "GET",
    }
    assert json.loads(answer.body) == {
        "message": "No.",
        "code": "UnknownOperationException",
        "context": {},
    }
