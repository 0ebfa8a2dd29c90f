from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from http.client import HTTPException
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from botocore.credentials import Credentials

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import LocalNimble
from nimble_stop.local.serve import LineWriter, serve

from .support import Elsewhere, connect, get, serving, stop

if TYPE_CHECKING:
    from pathlib import Path


def reach(environment: dict[str, str]) -> Elsewhere:
    """Make of the printed environment what a client needs."""
    return Elsewhere(
        environment["AWS_ENDPOINT_URL_NIMBLE"],
        Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]),
        environment["AWS_DEFAULT_REGION"],
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal(number: signal.Signals) -> None:
    """It prints how to reach it, serves, logs, and ends cleanly, whatever is connected."""
    with serving(sample=True) as (process, environment):
        local = reach(environment)
        assert process.stderr is not None
        assert stop(local, "demo-studio", "artist-1").status == 200
        with connect(local), connect(local) as half_open:
            half_open.sendall(b"GET / HT")
            # A thread writes the log, so the signal waits for the line of the stop.
            line = process.stderr.readline()
            process.send_signal(number)
            output, log = process.communicate(timeout=60)
    assert output == f"ended by {int(number)}\n"
    assert "StopStreamingSession 'demo-studio'/'artist-1' -> 200 applied" in line
    assert "Traceback" not in log


def test_its_arguments_count(tmp_path: Path) -> None:
    """Keys, region, duration, file and faults are those that were given."""
    faults = tmp_path / "faults.json"
    faults.write_text('[{"fault": "ServiceFailure", "operation": "GetStreamingSession"}]')
    options: dict[str, object] = {
        "db": str(tmp_path / "x.db"),
        "transition_seconds": 0.05,
        "key": ["AKID", "it's secret"],
        "region_name": "eu-west-1",
        "faults": str(faults),
        "sample": True,
    }
    with serving(**options) as (_, environment):
        assert environment["AWS_SECRET_ACCESS_KEY"] == "it's secret"
        assert environment["AWS_DEFAULT_REGION"] == "eu-west-1"
        local = reach(environment)
        assert stop(local, "demo-studio", "artist-1").session["stoppedBy"] == "AKID"
        assert get(local, "demo-studio", "artist-1").status == 500
    with LocalNimble(db=str(tmp_path / "x.db")) as after:
        after.advance(0.05)
        assert after.sessions["demo-studio", "artist-1"].state == "STOPPED"


def test_the_sample_is_for_an_empty_store_only(tmp_path: Path) -> None:
    """Sessions that are there already are not added to."""
    path = str(tmp_path / "x.db")
    with LocalNimble(db=path) as local:
        local.add_session(studio_id="s", session_id="x")
    with serving(db=path, sample=True) as (_, environment):
        assert get(reach(environment), "s", "x").status == 200
        assert get(reach(environment), "demo-studio", "artist-1").status == 404


def test_what_cannot_be_served_is_not_announced(tmp_path: Path) -> None:
    """A store or an address that cannot be used is one clear error, before anybody is called."""
    for local in (LocalNimble(db=str(tmp_path)), LocalNimble(port=70_000)):
        with pytest.raises(ConfigurationError):
            serve(local, on_ready=lambda _: pytest.fail("it does not serve"))


def test_the_signal_handlers_are_put_back() -> None:
    """A program that serves in between has its own handlers again afterwards."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    visitors: list[threading.Thread] = []

    def visit_and_kill(local: LocalNimble) -> None:
        assert get(local, "demo-studio", "artist-1").status == 200
        os.kill(os.getpid(), signal.SIGTERM)

    def send_visitor(local: LocalNimble) -> None:
        visitors.append(threading.Thread(target=visit_and_kill, args=(local,)))
        visitors[0].start()

    local = LocalNimble(sample=True)
    assert serve(local, on_ready=send_visitor) == signal.SIGTERM
    visitors[0].join()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert repr(local) == "<LocalNimble not running>"
    local.requests.assert_attempts(1)


def test_nobody_has_to_read_its_log() -> None:
    """With a full pipe on standard error, every request is answered and a signal ends it."""
    with serving(sample=True) as (process, environment):
        local = reach(environment)
        fill = "x" * 1500
        for _ in range(100):
            assert get(local, "demo-studio", fill).status == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


class Slow(StringIO):
    """A stream whose reader takes lines only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writing, self.may_write = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        """Wait for the reader."""
        self.is_writing.set()
        self.may_write.wait(10)
        return super().write(text)


def test_lines_that_nobody_reads_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer keeps some lines for a slow reader, drops the rest and says how many."""
    monkeypatch.setattr("nimble_stop.local.serve._WAITING_LINES", 2)
    stream = Slow()
    writer = LineWriter(stream, dropped="{count} dropped")
    writer.write_line("0")
    assert stream.is_writing.wait(10)
    for number in range(1, 6):
        writer.write_line(str(number))
    stream.may_write.set()
    writer.close()
    assert stream.getvalue() == "0\n3 dropped\n1\n2\n"


def test_a_reader_that_is_gone() -> None:
    """Lines for somebody who hung up are no error."""
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as stream:
        writer = LineWriter(stream)
        os.close(read_end)
        writer.write_line("a")
        writer.close()


def test_lines_go_to_a_file_as_they_are(tmp_path: Path) -> None:
    """A stream of the operating system's gets every line, in its own encoding."""
    path = tmp_path / "log"
    with path.open("w", encoding="ascii") as stream:
        writer = LineWriter(stream)
        writer.write_line("a")
        writer.write_line("ü")
        writer.close()
    assert path.read_text(encoding="ascii") == "a\n\\xfc\n"


def test_an_answered_change_survives_kill_9(tmp_path: Path) -> None:
    """Killed in the middle of its work, again and again, it has lost nothing it answered."""
    path = str(tmp_path / "x.db")
    ids = [f"x{number}" for number in range(60)]
    with LocalNimble(db=path) as local:
        for session_id in ids:
            local.add_session(studio_id="s", session_id=session_id)
    answered: dict[str, bytes] = {}
    randomness = random.Random(1)
    for _ in range(3):
        with serving(db=path) as (process, environment):
            killed = reach(environment)
            killer = threading.Timer(randomness.uniform(0.02, 0.1), process.kill)
            killer.start()
            try:
                for session_id in ids:
                    body = stop(killed, "s", session_id, token=session_id).body
                    assert answered.setdefault(session_id, body) == body
                    json.loads(body)
            except (OSError, HTTPException):
                # It is dead; what it answered until then counts.
                pass
            killer.join()
    assert answered
    with LocalNimble(db=path) as local:
        deadline = time.monotonic() + 30
        for session_id in ids:
            assert time.monotonic() < deadline
            reply = stop(local, "s", session_id, token=session_id)
            if session_id in answered:
                assert reply.body == answered[session_id]
                assert not local.requests[-1].applied
            assert local.sessions["s", session_id].state == "STOPPED"
