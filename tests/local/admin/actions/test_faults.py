from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nimble_stop.local.faults.points import kinds_of_faults
from tests.local.admin.support import DOCUMENT, ask
from tests.local.support import get

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble


def test_a_fault_happens_and_is_counted(local: LocalNimble) -> None:
    """A fault is listed with its number, how often it happened and how often it may still."""
    fault = {"fault": "ServiceFailure", "code": "ThrottlingException", "times": 2}
    added = ask(local, "POST", "/faults", fault)
    assert added.status == 201
    assert added.json == {"id": added.json["id"], "fired": 0, "left": 2, **fault}
    assert get(local, "studio-1", "session-1").error == "ThrottlingException"
    assert ask(local, "GET", "/faults").json == {"faults": [{**added.json, "fired": 1, "left": 1}]}


def test_several_at_once(local: LocalNimble) -> None:
    """A fault file's list is taken as it is; what has no limit has any number of times left."""
    faults = [
        {"fault": "Latency", "seconds": 0, "session_id": "session-1"},
        {"fault": "StopFails", "operation": "StopStreamingSession"},
    ]
    reply = ask(local, "POST", "/faults", faults)
    assert [fault["left"] for fault in reply.json["faults"]] == [None, None]
    assert ask(local, "GET", "/faults").json == reply.json


def test_all_or_none(local: LocalNimble) -> None:
    """One that is no fault keeps the others out, and is named by its place."""
    reply = ask(local, "POST", "/faults", [{"fault": "ResetAfterChange"}, {"fault": "Latncy"}])
    assert reply.status == 400
    assert reply.json["message"].startswith("[1].fault")
    assert "did you mean 'Latency'?" in reply.json["message"]
    assert local.faults == ()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({}, "fault.fault"),
        ({"fault": "Latency"}, "fault.seconds is missing"),
        ({"fault": "Latency", "seconds": "1"}, "fault.seconds must be"),
        ({"fault": "Latency", "seconds": 1, "time": 1}, "did you mean 'times'?"),
        ({"fault": "Latency", "seconds": 1, "operation": "StopSession"}, "StopStreamingSession"),
        ("Latency", "object"),
    ],
)
def test_a_fault_that_cannot_be(local: LocalNimble, fault: object, message: str) -> None:
    """The message names the key and what is allowed."""
    reply = ask(local, "POST", "/faults", fault)
    assert reply.status == 400
    assert message in reply.json["message"]


def test_removing(local: LocalNimble) -> None:
    """One is removed by its number, or all."""
    first, second, _ = ask(local, "POST", "/faults", [{"fault": "ResetAfterChange"}] * 3).json[
        "faults"
    ]
    assert ask(local, "DELETE", f"/faults/{first['id']}").status == 204
    reply = ask(local, "DELETE", f"/faults/{first['id']}")
    assert reply.status == 404
    assert str(second["id"]) in reply.json["message"]
    assert ask(local, "DELETE", "/faults").status == 204
    assert local.faults == ()
    assert ask(local, "DELETE", "/faults/first").json["message"].endswith("In force: none.")


def test_every_kind_is_documented() -> None:
    """Each kind of fault has a schema, with what its rule takes and what it needs."""
    for kind in kinds_of_faults():
        schema = DOCUMENT["components"]["schemas"][kind.__name__]
        assert {"fault", "times", "skip", "operation"} <= schema["properties"].keys()
        assert schema["description"]
    assert DOCUMENT["components"]["schemas"]["Latency"]["required"] == ["fault", "seconds"]
