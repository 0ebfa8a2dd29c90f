from __future__ import annotations

import json

from hypothesis import given, strategies as st

from nimble_stop.local.admin.replies import Problem, json_answer

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_a_document_is_written_as_json(document: object) -> None:
    """Whatever a document holds, it is written as `json.dumps` writes it, on a line of its own."""
    reply = json_answer(document)
    assert reply.body == f"{json.dumps(document)}\n".encode()
    assert reply.headers["Content-Type"] == "application/json"


def test_a_problem() -> None:
    """An error is a JSON object with its message, and what else helps."""
    reply = Problem(404, "There is none.", headers={"Allow": "GET"}, routes=["GET /x"]).answer
    assert reply.status == 404
    assert json.loads(reply.body) == {"message": "There is none.", "routes": ["GET /x"]}
    assert reply.headers["Allow"] == "GET"
