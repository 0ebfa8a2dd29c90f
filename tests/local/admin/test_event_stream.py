from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import attrs
import pytest

from nimble_stop.local import Latency, LocalNimble
from nimble_stop.local.admin import event_stream
from nimble_stop.local.storage.tables import Tables
from tests.local.admin.support import ask
from tests.local.support import connect, get, stop

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator
    from pathlib import Path


@attrs.frozen
class Received:
    """One event as a reader receives it."""

    id: int
    kind: str
    data: Any


class Reader:
    """Reads a stream of events from a bare connection, by the rules of the HTML standard."""

    def __init__(self, connection: socket.socket) -> None:
        self._lines = connection.makefile("r", encoding="utf-8", newline="\r\n")
        self.last_id = 0

    def head(self) -> str:
        """Read the head of the answer."""
        lines: list[str] = []
        while line := self._lines.readline().rstrip():
            lines.append(line)
        return "\n".join(lines)

    def event(self, kind: str | None = None) -> Received:
        """Read the next event, or the next of a kind."""
        while True:
            name = data = ""
            for line in self._block():
                field, _, value = line.partition(": ")
                if field == "id":
                    self.last_id = int(value)
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
            if data and kind in {None, name}:
                return Received(self.last_id, name, json.loads(data))

    def _block(self) -> list[str]:
        """Read lines up to an empty one, without the lines between chunks."""
        lines: list[str] = []
        while True:
            chunk = self._rest or self._chunk()
            head, separator, self._rest = chunk.partition("\n\n")
            lines += head.split("\n")
            if separator:
                return lines

    _rest = ""

    def _chunk(self) -> str:
        size = int(self._lines.readline(), 16)
        if not size:
            raise EOFError
        text = self._lines.read(size)
        self._lines.readline()
        return text

    def comment(self) -> str:
        """Read the next comment."""
        while True:
            for line in self._block():
                if line.startswith(":"):
                    return line


@contextmanager
def reading(
    local: LocalNimble, query: str = "", *, last_id: int | None = None
) -> Generator[Reader]:
    """Read the events of an endpoint."""
    header = "" if last_id is None else f"Last-Event-ID: {last_id}\r\n"
    with connect(local) as connection:
        head = f"GET /_nimble-stop/events{query} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n"
        connection.sendall(head.encode())
        reader = Reader(connection)
        answer = reader.head()
        assert answer.startswith("HTTP/1.1 200"), answer
        assert "text/event-stream" in answer
        # The first block carries the number to resume from.
        for line in reader._block():
            if line.startswith("id: "):
                reader.last_id = int(line.removeprefix("id: "))
        yield reader


def readers(local: LocalNimble) -> int:
    """Count the open streams."""
    assert local._admin is not None
    return local._admin._context.readers


def test_what_changes_and_what_comes_in(local: LocalNimble) -> None:
    """Whatever happens is sent as it happens, each event with the state that it led to."""
    with reading(local) as reader:
        stop(local, "studio-1", "session-1")
        (session,) = reader.event("sessions").data["sessions"]
        assert session["state"] == "STOP_IN_PROGRESS"
        assert reader.event("request").data["operation"] == "StopStreamingSession"
        # With transition_seconds=0 it is over as soon as the server sees to it.
        (session,) = reader.event("sessions").data["sessions"]
        assert session == ask(local, "GET", "/sessions/studio-1/session-1").json
        assert session["state"] == "STOPPED"
        fault = ask(local, "POST", "/faults", {"fault": "Latency", "seconds": 0, "times": 1}).json
        assert reader.event("faults").data == {"faults": [fault]}
        get(local, "studio-1", "session-1")
        assert reader.event("request").data["faults"] == ["Latency"]
        assert reader.event("faults").data["faults"][0]["left"] == 0
        ask(local, "POST", "/clock", {"advance": 60})
        assert reader.event("clock").data["skippedSeconds"] == 60
        ask(local, "DELETE", "/requests")
        assert reader.event("cleared").data == {}
        ask(local, "DELETE", "/sessions/studio-1/session-1")
        assert reader.event("sessions").data["sessions"] == [
            {"studioId": "studio-1", "sessionId": "session-1", "state": None}
        ]
        ask(local, "DELETE", "/state")
        assert reader.event("reset").data == {}


def test_many_sessions_at_once(local: LocalNimble) -> None:
    """Of very many sessions the event says only that they are to be read again."""
    with reading(local) as reader:
        sessions = [{"studioId": "s", "sessionId": f"{i}"} for i in range(100)]
        ask(local, "POST", "/sessions", sessions)
        assert reader.event("sessions").data == {"sessions": None}


def test_a_transition_completes_while_nobody_asks() -> None:
    """A reader learns of a transition when it is over, without a request."""
    with LocalNimble(transition_seconds=0.3) as local:
        local.add_session(studio_id="s", session_id="x")
        with reading(local) as reader:
            stop(local, "s", "x")
            states: list[str] = []
            while states[-1:] != ["STOPPED"]:
                (session,) = reader.event("sessions").data["sessions"]
                states.append(session["state"])
            assert states == ["STOP_IN_PROGRESS", "STOPPED"]


def test_completing_for_readers_never_fails(
    local: LocalNimble, caplog: pytest.LogCaptureFixture
) -> None:
    """A busy store is left for the next time, and whatever else goes wrong is logged."""
    store = local._operations.store
    stop(local, "studio-1", "session-1")
    last_id = local.events.last_id
    with store.access():
        event_stream._complete_due(store)
    assert not caplog.records
    with mock.patch.object(Tables, "complete_due", side_effect=ArithmeticError):
        event_stream._complete_due(store)
    assert "ArithmeticError" in caplog.text
    assert local.events.last_id == last_id
    event_stream._complete_due(store)
    assert local.sessions["studio-1", "session-1"].state == "STOPPED"
    assert local.events.last_id == last_id + 1


def test_another_endpoint_on_the_same_file(tmp_path: Path) -> None:
    """What another endpoint does to the same store is noticed: everything is to be read again."""
    db = str(tmp_path / "store")
    with LocalNimble(db=db) as local, LocalNimble(db=db) as other, reading(local) as reader:
        other.add_session(studio_id="s", session_id="x")
        assert reader.event("sessions").data == {"sessions": None}
        local.add_session(studio_id="s", session_id="y")
        assert reader.event("sessions").data["sessions"][0]["sessionId"] == "y"


def test_resuming(local: LocalNimble) -> None:
    """A reader that was cut off gets what it missed, by the header as by the parameter."""
    with reading(local) as reader:
        local.advance(1)
        seen = reader.event("clock").id
    local.advance(2)
    local.advance(3)
    for query, last_id in ((f"?after={seen}", None), ("", seen), ("?after=1", seen)):
        with reading(local, query, last_id=last_id) as reader:
            skipped = [reader.event("clock").data["skippedSeconds"] for _ in range(2)]
        assert skipped == [3, 6]


def test_everything_since_the_beginning(local: LocalNimble) -> None:
    """0 stands for all events of the endpoint."""
    with reading(local, "?after=0") as reader:
        assert reader.event().data["sessions"][0]["sessionId"] == "session-1"


def test_cut_off_before_the_first_event(local: LocalNimble) -> None:
    """A reader knows where it was from the start."""
    with reading(local) as reader:
        seen = reader.last_id
    local.advance(1)
    with reading(local, last_id=seen) as reader:
        assert reader.event().kind == "clock"


@pytest.mark.parametrize("after", [1, 9_000_000_000_000_000])
def test_an_id_of_another_endpoint(local: LocalNimble, after: int) -> None:
    """A number that is not of this endpoint leads to reading everything anew, and on from there."""
    with reading(local, f"?after={after}") as reader:
        assert reader.event().kind == "resync"
        local.advance(1)
        assert reader.event().kind == "clock"


def test_away_for_too_long(local: LocalNimble) -> None:
    """When the buffer has lost what a reader missed, one event says so."""
    with reading(local) as reader:
        seen = reader.last_id
    for _ in range(2_100):
        local.clear_faults()
    with reading(local, f"?after={seen}") as reader:
        assert reader.event().kind == "resync"
        local.advance(1)
        assert reader.event().kind == "clock"


def test_a_slow_reader(local: LocalNimble) -> None:
    """A reader that takes nothing slows nobody down; later it reads everything anew."""
    # Each event lists this fault, so the buffers between the two fill up soon.
    local.inject(Latency(0), session_id="x" * 20_000)
    with reading(local) as reader:
        for _ in range(6_000):
            local.inject_rules([])
        assert get(local, "studio-1", "session-1").status == 200
        kinds: set[str] = set()
        while reader.last_id < local.events.last_id:
            kinds.add(reader.event().kind)
        assert "resync" in kinds
        local.advance(1)
        assert reader.event("clock").data["skippedSeconds"] == 1


def test_a_reader_that_is_gone(local: LocalNimble, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes nothing for too long is disconnected, and forgotten."""
    monkeypatch.setattr(event_stream, "_STALL_SECONDS", 0.1)
    local.inject(Latency(0), session_id="x" * 20_000)
    with reading(local):
        deadline = time.monotonic() + 20
        while readers(local) and time.monotonic() < deadline:
            local.inject_rules([])
            time.sleep(0.001)
    assert readers(local) == 0


def test_a_reader_that_hangs_up(local: LocalNimble) -> None:
    """A connection that is closed is noticed, at the next event at the latest."""
    with reading(local):
        assert readers(local) == 1
    deadline = time.monotonic() + 20
    while readers(local) and time.monotonic() < deadline:
        local.clear_faults()
        time.sleep(0.01)
    assert readers(local) == 0


def test_a_silent_stream_is_kept_alive(local: LocalNimble, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing happens a comment is sent, which readers ignore."""
    monkeypatch.setattr(event_stream, "_HEARTBEAT_SECONDS", 0.01)
    with reading(local) as reader:
        assert reader.comment() == ": nothing new"
        local.advance(1)
        assert reader.event().kind == "clock"


def test_the_end_of_the_server(local: LocalNimble) -> None:
    """Closing the endpoint ends the streams at once and in order."""
    with reading(local) as reader:
        local.close()
        # The end of the stream, and not only of the connection.
        with pytest.raises(EOFError):
            reader.event()


def test_too_many_readers(local: LocalNimble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers are limited, and the next one is refused."""
    monkeypatch.setattr("nimble_stop.local.admin.routes._READERS", 1)
    with reading(local):
        assert ask(local, "GET", "/events").status == 503
