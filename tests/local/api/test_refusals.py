from __future__ import annotations

import json

from nimble_stop.local.api.refusals import Refusal, error_body


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


def test_a_refusal_can_have_another_status() -> None:
    """An explicit status wins over the code's own."""
    assert Refusal("UnknownOperationException", "", status=405).status == 405


def test_an_error_body_has_all_three_members() -> None:
    """Message, code and context are always there, the context even when it is empty."""
    assert json.loads(error_body("ConflictException", "busy", {})) == {
        "message": "busy",
        "code": "ConflictException",
        "context": {},
    }
