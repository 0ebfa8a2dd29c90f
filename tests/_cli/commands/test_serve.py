from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import nimble_stop
from nimble_stop.local import EndpointOptions

if TYPE_CHECKING:
    from pathlib import Path

    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli


def read_export(line: str) -> tuple[str, str]:
    """Read a line as a shell does."""
    export, assignment = shlex.split(line)
    assert export == "export"
    name, _, value = assignment.partition("=")
    return name, value


def test_serve_serves_until_it_is_told_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lines lead a client to it, and a signal ends it well."""
    faults = tmp_path / "faults.json"
    faults.write_text('[{"fault": "ServiceFailure", "code": "ConflictException", "times": 1}]')
    words = ["serve", "--sample", "--transition-seconds", "0.5", "--region", "eu-west-1"]
    more = ["--access-key-id", "ME", "--secret-access-key", "it's", "--faults", str(faults)]
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(
            [sys.executable, "-m", "nimble_stop", *words, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for name, value in (read_export(process.stdout.readline()) for _ in range(4)):
                monkeypatch.setenv(name, value)
            assert os.environ["AWS_DEFAULT_REGION"] == "eu-west-1"
            assert os.environ["AWS_SECRET_ACCESS_KEY"] == "it's"
            with nimble_stop.NimbleClient() as client:
                with pytest.raises(nimble_stop.ConflictException):
                    client.stop_session("demo-studio", "artist-1")
                assert client.stop_session("demo-studio", "artist-1").state == "STOP_IN_PROGRESS"
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
        assert "StopStreamingSession" in err


@pytest.mark.parametrize(
    "words",
    [
        ["--local"],
        ["--profile", "x"],
        ["--endpoint-url", "http://h"],
        ["--port", "65536"],
        ["--transition-seconds", "-1"],
        ["--faults", "/missing"],
    ],
)
def test_what_serve_cannot_use_is_a_usage_error(words: list[str], cli: Cli) -> None:
    """Nothing is served."""
    ran = cli("serve", *words)
    assert (ran.code, ran.out) == (2, "")


def test_what_serve_cannot_begin_with_is_a_configuration_error(cli: Cli, tmp_path: Path) -> None:
    """A store, a fault file or an address that cannot be used is named."""
    for words in (
        ["--db", str(tmp_path)],
        ["--faults", __file__],
        ["--host", "203.0.113.1"],
        ["--transition-seconds", "nan"],
    ):
        ran = cli("serve", *words)
        assert (ran.code, ran.out) == (253, "")
        assert "add --local" not in ran.err


def test_only_what_was_given_is_passed_on(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """All defaults are the endpoint's own."""
    passed: list[EndpointOptions] = []

    def serve(local: LocalNimble, **_: object) -> None:
        passed.append(local.options)

    monkeypatch.setattr("nimble_stop.local.serve.serve", serve)
    assert cli("serve").code == 0
    assert cli("--region", "eu-west-1", "serve", "--port", "8080", "--db", "x.db").code == 0
    default = EndpointOptions()
    for options in passed:
        assert options.keys == default.keys
    chosen = [(options.region_name, options.port, options.db) for options in passed]
    assert chosen == [("us-west-2", 0, ":memory:"), ("eu-west-1", 8080, "x.db")]
