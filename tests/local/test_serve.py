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
from nimble_stop.local.serve import serve

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
        assert list(environment) == [
            "AWS_ENDPOINT_URL_NIMBLE",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_DEFAULT_REGION",
        ]
        assert stop(local, "demo-studio", "artist-1").status == 200
        with connect(local), connect(local) as half_open:
            half_open.sendall(b"GET / HT")
            process.send_signal(number)
            output, log = process.communicate(timeout=10)
    assert output == f"ended by {int(number)}\n"
    assert "StopStreamingSession 'demo-studio'/'artist-1' -> 200 applied" in log
    assert "Traceback" not in log


def test_its_arguments_count(tmp_path: Path) -> None:
    """Keys, region, duration, file and faults are those that were given."""
    faults = tmp_path / "faults.json"
    faults.write_text('[{"fault": "ServiceFailure", "operation": "GetStreamingSession"}]')
    options: dict[str, object] = {
        "db": str(tmp_path / "x.db"),
        "transition_seconds": 0.05,
        "access_key_id": "AKID",
        "secret_access_key": "it's secret",
        "region_name": "eu-west-1",
        "faults": str(faults),
        "sample": True,
    }
    with serving(**options) as (_, environment):
        assert environment["AWS_SECRET_ACCESS_KEY"] == """'it'"'"'s secret'"""
        environment["AWS_SECRET_ACCESS_KEY"] = "it's secret"
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


@pytest.mark.parametrize(
    "options",
    [
        {"transition_seconds": -1.0},
        {"port": 70_000},
        {"db": "/no/such/directory/x.db"},
        {"faults": "/no/such/file"},
    ],
)
def test_bad_arguments(options: dict[str, object]) -> None:
    """Whatever cannot be used is one clear error, and nothing is printed."""
    output = StringIO()
    with pytest.raises(ConfigurationError):
        serve(**options, stdout=output)  # type: ignore[arg-type]  # as in the signature
    assert output.getvalue() == ""


def test_the_signal_handlers_are_put_back() -> None:
    """A program that serves in between has its own handlers again afterwards."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    output, log = StringIO(), StringIO()
    killer = threading.Thread(target=_visit_and_kill, args=(output,))
    killer.start()
    assert serve(sample=True, stdout=output, stderr=log) == signal.SIGTERM
    killer.join()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert output.getvalue().startswith("export AWS_ENDPOINT_URL_NIMBLE=http://127.0.0.1:")
    assert "Serving on http://127.0.0.1:" in log.getvalue()
    assert "GetStreamingSession 'demo-studio'/'artist-1' -> 200" in log.getvalue()


def _visit_and_kill(output: StringIO) -> None:
    """Wait until it serves, ask it something, and end it."""
    deadline = time.monotonic() + 10
    while output.getvalue().count("\n") < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    lines = [line.removeprefix("export ") for line in output.getvalue().splitlines()]
    local = reach(dict(line.split("=", 1) for line in lines))
    assert get(local, "demo-studio", "artist-1").status == 200
    os.kill(os.getpid(), signal.SIGTERM)


def test_an_answered_change_survives_kill_9(tmp_path: Path) -> None:
    """Killed in the middle of its work, again and again, it has lost nothing it answered."""
    path = str(tmp_path / "x.db")
    ids = [f"x{number}" for number in range(60)]
    with LocalNimble(db=path) as local:
        for session_id in ids:
            local.add_session(studio_id="s", session_id=session_id)
    answered: dict[str, bytes] = {}
    dice = random.Random(1)
    for _ in range(3):
        with serving(db=path) as (process, environment):
            killed = reach(environment)
            killer = threading.Timer(dice.uniform(0.02, 0.1), process.kill)
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
