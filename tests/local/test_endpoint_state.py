from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import FaultRule, Latency, LocalNimble, ServiceFailure
from nimble_stop.local.storage.tables import Tables
from tests.local.support import get, stop

if TYPE_CHECKING:
    from pathlib import Path


def events(local: LocalNimble) -> list[tuple[str, Any]]:
    """Read all events that were published."""
    return [(event.kind, event.data) for event in local.events.after(0) or []]


def test_an_exported_state_can_be_imported() -> None:
    """Another endpoint goes on with sessions, transitions, clock and faults, through JSON."""
    with LocalNimble(transition_seconds=60) as first, LocalNimble() as second:
        first.add_sample_studio()
        first.add_session(studio_id="s/1", session_id="x y", status_message=None, created_by=None)
        first.add_session(studio_id="s/1", session_id="z")
        stop(first, "s/1", "z")
        first.advance(30)
        first.inject(Latency(0.01), times=3, skip=1)
        first.inject(ServiceFailure(), times=1, session_id="z")
        for _ in range(3):
            get(first, "s/1", "z")
        document = json.loads(json.dumps(first.export()))
        second.add_session(studio_id="s/1", session_id="gone")
        second.import_(document)
        assert second.export() == document
        assert [dict(rule) for rule in document["faults"]] == [
            {"fault": "Latency", "seconds": 0.01, "times": 1}
        ]
        assert second.skipped_seconds == 30
        assert dict(second.sessions) == dict(first.sessions)
        assert second.sessions["s/1", "x y"].status_message is None
        second.advance(60)
        assert second.sessions["s/1", "z"].state == "STOPPED"


def test_client_tokens_are_no_part_of_a_state(local: LocalNimble) -> None:
    """After an import a token can be used anew, and the journal is still there."""
    stop(local, "studio-1", "session-1", token="t")
    local.import_({"sessions": [{"studioId": "studio-1", "sessionId": "session-1"}]})
    assert stop(local, "studio-1", "session-1", token="t").status == 200
    local.requests.assert_applied(2, operation="StopStreamingSession")


def test_what_a_document_does_not_hold_is_empty(local: LocalNimble) -> None:
    """An empty document is an empty state."""
    local.inject(Latency(1))
    local.advance(5)
    local.import_({})
    assert local.export() == {
        "schemaVersion": 1,
        "clock": {"skippedSeconds": 0.0},
        "sessions": [],
        "faults": [],
    }


SESSION = {"studioId": "s", "sessionId": "x"}


MISTAKES: list[tuple[object, str]] = [
    ([], "the document must be an object"),
    ({"session": []}, "no member 'session'.*did you mean 'sessions'"),
    ({"schemaVersion": 2}, "schemaVersion must be 1, not 2"),
    ({"clock": 5}, "clock must be an object"),
    ({"clock": {"skippedSeconds": -1}}, "skipped_seconds must be a finite number"),
    ({"sessions": {}}, "sessions must be a list"),
    ({"sessions": [5]}, r"sessions\[0\]: a session must be an object"),
    ({"sessions": [SESSION, SESSION]}, r"sessions\[1\]: studio 's' has a session 'x' already"),
    ({"sessions": [{"studioId": "s"}]}, r"sessions\[0\]: sessionId is missing"),
    ({"sessions": [{**SESSION, "state": "REDY"}]}, "state must be one of"),
    ({"sessions": [{**SESSION, "ownedBye": "me"}]}, "no member 'ownedBye'.*'ownedBy'"),
    ({"sessions": [{**SESSION, "transition": {}}]}, "does not go with the state READY"),
    (
        {"sessions": [{**SESSION, "state": "STOP_IN_PROGRESS", "transition": {"due": 1}}]},
        "transition must have state, statusCode, statusMessage",
    ),
    ({"faults": [{"fault": "Slow"}]}, r"faults\[0\]\.fault must be one of"),
]


@pytest.mark.parametrize(("document", "said"), MISTAKES)
def test_a_wrong_document_changes_nothing(local: LocalNimble, document: Any, said: str) -> None:  # noqa: ANN401  # what a user may pass
    """The error says where, and the state is what it was."""
    local.inject(Latency(0))
    before = local.export()
    with pytest.raises((TypeError, ValueError, ConfigurationError), match=said):
        local.import_(document)
    assert local.export() == before


@pytest.mark.parametrize("as_document", [True, False])
@pytest.mark.parametrize("in_file", [True, False])
def test_a_seed(tmp_path: Path, as_document: bool, in_file: bool) -> None:  # noqa: FBT001  # pytest's way
    """A store without sessions begins with a document, or a list, given or in a file."""
    sessions = [{**SESSION, "state": "STOPPED", "ownedBy": "me"}]
    seed: Any = {"sessions": sessions, "faults": [{"fault": "Latency", "seconds": 0}]}
    seed = seed if as_document else sessions
    if in_file:
        path = tmp_path / "seed.json"
        path.write_text(json.dumps(seed))
        seed = path
    db = str(tmp_path / "x.db")
    local = LocalNimble(db=db, seed=seed, sample=True)
    for _ in range(2):
        with local:
            assert local.sessions["s", "x"].owned_by == "me"
            assert len(local.sessions) == 7
            # The second time the store has sessions, so nothing is added.
            assert [rule.fault for rule in local.faults] == [Latency(0)] * as_document


def test_a_seed_that_cannot_be_read(tmp_path: Path) -> None:
    """The file is named, and nothing is left open."""
    path = tmp_path / "seed.json"
    for text in (None, "{", "[" * 100_000):
        if text is not None:
            path.write_text(text)
        local = LocalNimble(seed=path)
        with pytest.raises(ConfigurationError, match=r"seed\.json.*cannot be read"):
            local.start()
        assert repr(local) == "<LocalNimble not running>"
    path.write_text("[{}]")
    with pytest.raises(ConfigurationError, match=r"seed\.json.*sessions\[0\]: studioId is missing"):
        LocalNimble(seed=path).start()
    with pytest.raises(TypeError, match=r"^sessions\[0\]: studioId is missing"):
        LocalNimble(seed=[{}]).start()


def test_two_processes_fill_one_new_file(tmp_path: Path) -> None:
    """Whoever comes first adds the sample studio, and the others find it."""
    program = """
import sys
from nimble_stop.local import LocalNimble
with LocalNimble(db=sys.argv[1], sample=True) as local:
    print(len(local.sessions))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "x.db")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["6\n"] * 4


def test_everything_that_changes_is_published(local: LocalNimble) -> None:
    """Sessions, requests, faults, the clock and a reset, in their order."""
    rule = local.inject(Latency(0))
    stop(local, "studio-1", "session-1")
    local.advance(5)
    local.remove_session("studio-1", "session-1")
    local.clear_faults()
    local.reset()
    published = events(local)
    kinds = [kind for kind, _ in published]
    assert kinds == [
        "sessions", "faults", "sessions", "request", "faults", "sessions", "clock", "sessions",
        "faults", "sessions", "cleared", "reset",
    ]  # fmt: skip
    data = [data for _, data in published]
    sessions = [data["sessions"] for kind, data in published if kind == "sessions"]
    assert [each and each[0]["state"] for each in sessions] == [
        "READY", "STOP_IN_PROGRESS", "STOPPED", None, None,
    ]  # fmt: skip
    names = {"studioId": "studio-1", "sessionId": "session-1"}
    assert sessions[3] == [{**names, "state": None}]
    assert sessions[0][0].items() >= {**names, "volumeRetentionMode": "RETAIN"}.items()
    assert data[3]["operation"] == "StopStreamingSession"
    assert data[6]["skippedSeconds"] == 5
    assert data[-3:] == [{"sessions": None}, {}, {}]
    assert rule.fired == 1


def test_faults_in_force_are_published() -> None:
    """A reader sees all rules, each with its number and how often it happened."""
    with LocalNimble() as local:
        rule = local.inject(Latency(1), operation="GetStreamingSession")
        ((_, data),) = events(local)
        assert data == {
            "faults": [
                {
                    "id": rule.id,
                    "fired": 0,
                    "left": None,
                    "fault": "Latency",
                    "seconds": 1,
                    "operation": "GetStreamingSession",
                }
            ]
        }


def test_many_changes_at_once_are_one_event(local: LocalNimble) -> None:
    """A change of hundreds of sessions asks the reader to read all again."""
    for number in range(101):
        local.add_session(studio_id="s", session_id=f"x{number}", state="STOP_IN_PROGRESS")
    last = local.events.last_id
    local.complete_all()
    (event,) = local.events.after(last) or []
    assert (event.kind, event.data) == ("sessions", {"sessions": None})


def test_transitions_are_completed_for_those_who_only_read_events(local: LocalNimble) -> None:
    """Without a reader nothing is done; with one, what is due is completed and published."""
    stop(local, "studio-1", "session-1")
    last = local.events.last_id
    local.complete_due_transitions()
    assert local.events.last_id == last

    async def read() -> None:
        with local.events.reader():
            local.complete_due_transitions()

    asyncio.run(read())
    assert events(local)[-1][1]["sessions"][0]["state"] == "STOPPED"


def test_a_rule_keeps_counting_where_it_is(local: LocalNimble) -> None:
    """Exporting takes copies: the rules in force are the ones that were injected."""
    rule = FaultRule(Latency(0), times=5)
    local.inject_rules([rule])
    local.export()
    get(local, "studio-1", "session-1")
    assert rule.fired == 1
    assert local.faults == (rule,)


def test_completing_for_readers_never_fails(
    local: LocalNimble, caplog: pytest.LogCaptureFixture
) -> None:
    """A busy store is left for the next time, and whatever else goes wrong is logged."""

    async def complete() -> None:
        with local.events.reader():
            with local._store.access():
                local.complete_due_transitions()
            assert not caplog.records
            with mock.patch.object(Tables, "complete_due", side_effect=ArithmeticError):
                local.complete_due_transitions()

    asyncio.run(complete())
    assert "ArithmeticError" in caplog.text
