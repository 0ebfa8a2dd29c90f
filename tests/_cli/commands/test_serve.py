from __future__ import annotations

import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import nimble_stop
from nimble_stop._cli.commands.serve import _DROPPED
from nimble_stop.local import EndpointOptions
from tests._cli.support import check_document

if TYPE_CHECKING:
    from pathlib import Path

    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli

SERVE = [sys.executable, "-m", "nimble_stop", "serve"]
# What a program that serve runs sees.
LIST = [sys.executable, "-m", "nimble_stop", "list", "demo-studio", "--output", "jsonl"]
SESSIONS = [{"studioId": "demo-studio", "sessionId": "seeded", "state": "READY"}]


def read_export(line: str) -> tuple[str, str]:
    """Read a line as a shell does."""
    export, assignment = shlex.split(line)
    assert export == "export"
    name, _, value = assignment.partition("=")
    return name, value


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lines lead a client to it, and a signal ends it well."""
    faults = tmp_path / "faults.json"
    faults.write_text('[{"fault": "ServiceFailure", "code": "ConflictException", "times": 1}]')
    words = ["--sample", "--transition-seconds", "1000", "--region", "eu-west-1"]
    more = ["--access-key-id", "ME", "--secret-access-key", "it's", "--faults", str(faults)]
    with subprocess.Popen(
        [*SERVE, *words, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for name, value in (read_export(process.stdout.readline()) for _ in range(4)):
            monkeypatch.setenv(name, value)
        with nimble_stop.NimbleClient() as client:
            with pytest.raises(nimble_stop.ConflictException):
                client.stop_session("demo-studio", "artist-1")
            assert client.stop_session("demo-studio", "artist-1").state == "STOP_IN_PROGRESS"
        # Its lines are written by a thread of their own, so the signal waits for that of the stop.
        lines = iter(process.stderr.readline, "")
        shown = list(itertools.takewhile(lambda line: "StopStreamingSession" not in line, lines))
        process.send_signal(number)
        assert process.wait(60) == 0
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "it's"
    assert f"Live page: {os.environ['AWS_ENDPOINT_URL_NIMBLE']}/_nimble-stop/\n" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--local"],
        ["--profile", "x"],
        ["--endpoint-url", "http://h"],
        ["--output", "json"],
        ["--output", "jsonl", "--", "true"],
        ["--port", "65536"],
        ["--transition-seconds", "-1"],
        ["--transition-seconds", "nan"],
        ["--faults", "/missing"],
        ["--seed", "/missing"],
        ["--env-format", "toml"],
        ["--secret-access-key", ""],
        ["true"],
        ["true", "--", "true"],
        ["--", "no-such-program"],
        ["--", __file__],
    ],
)
def test_what_serve_cannot_use_is_a_usage_error(words: list[str], cli: Cli) -> None:
    """Nothing is served, and no program is run."""
    ran = cli("serve", *words)
    assert (ran.code, ran.out) == (2, "")


def test_what_serve_cannot_begin_with_is_a_configuration_error(cli: Cli, tmp_path: Path) -> None:
    """A store, a file or an address that cannot be used is named."""
    seed = tmp_path / "seed.json"
    seed.write_text('[{"sessionId": 1}]', encoding="ascii")
    for words in (
        ["--db", str(tmp_path)],
        ["--faults", __file__],
        ["--seed", __file__],
        ["--seed", str(seed)],
        ["--host", "203.0.113.1", "--no-admin"],
        ["--region", "x y"],
    ):
        ran = cli("serve", *words)
        assert (ran.code, ran.out) == (253, "")
        for nonsense in ("add --local", "nothing was sent"):
            assert nonsense not in ran.err


def test_other_machines_need_a_token(cli: Cli) -> None:
    """The message names the options that make it safe."""
    ran = cli("serve", "--host", "0.0.0.0")  # noqa: S104  # it is refused
    assert ran.code == 253
    assert "--admin-token TOKEN and --no-admin" in ran.err


def test_only_what_was_given_is_passed_on(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """All defaults are the endpoint's own."""
    passed: list[EndpointOptions] = []

    def serve(local: LocalNimble, **_: object) -> None:
        passed.append(local.options)

    monkeypatch.setattr("nimble_stop.local.serve.serve", serve)
    assert cli("serve").code == 0
    assert cli("--region", "eu-west-1", "serve", "--port", "8080", "--no-admin").code == 0
    assert cli("serve", "--admin-host", "nimble", "--admin-host", "studio.local").code == 0
    default = EndpointOptions()
    assert [each.keys for each in passed] == [default.keys] * 3
    first, second, third = passed
    assert (first.region_name, first.port, first.admin) == (default.region_name, default.port, True)
    assert (second.region_name, second.port, second.admin) == ("eu-west-1", 8080, False)
    assert [tuple(each.admin_hosts) for each in passed] == [(), (), ("nimble", "studio.local")]
    assert third.admin


def test_the_endpoints_options_are_options(cli: Cli) -> None:
    """Help has each that is declared for the command line, with its text and its default."""
    text = " ".join(cli("serve", "--help").out.split())
    for name in (
        "--db FILE",
        "--host ADDRESS",
        "--port NUMBER",
        "--transition-seconds SECONDS",
        "--seed FILE",
        "--faults FILE",
        "--sample",
        "--admin / --no-admin",
        "--admin-token TOKEN",
        "--admin-host NAME",
        "[default: 127.0.0.1]",
    ):
        assert name in text


def test_a_program_runs_as_long_as_it_is_served(tmp_path: Path) -> None:
    """It finds the endpoint, standard output is its own, and its exit code is passed on."""
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps(SESSIONS), encoding="ascii")
    process = subprocess.run(
        [*SERVE, "--seed", str(seed), "--", *LIST],
        env={**os.environ, "AWS_PROFILE": "missing", "HTTP_PROXY": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=True,
    )
    (session,) = [json.loads(line) for line in process.stdout.splitlines()]
    assert session["sessionId"] == "seeded"
    assert "Live page: http://" in process.stderr
    failed = subprocess.run(
        [*SERVE, "--", sys.executable, "-m", "nimble_stop", "show", "demo-studio", "nobody"],
        capture_output=True,
        check=False,
    )
    assert failed.returncode == 254


def test_the_words_of_the_program_are_its_own() -> None:
    """What has the form of an option of ours is passed on as it is."""
    program = [sys.executable, "-c", "import sys; print(sys.argv[1:])"]
    process = subprocess.run(
        [*SERVE, "--", *program, "--local", "--port", "--", "-h"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == "['--local', '--port', '--', '-h']\n"


def test_requests_are_json_lines_for_programs() -> None:
    """Standard output has nothing else; the environment goes to standard error."""
    with subprocess.Popen(
        [*SERVE, "--sample", "--output", "jsonl", "--env-format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        text = ""
        while not text.endswith("}\n"):
            text += process.stderr.readline()
        changes: dict[str, str | None] = json.loads(text)
        environment = {**os.environ, **{name: value or "" for name, value in changes.items()}}
        subprocess.run(LIST, env=environment, capture_output=True, check=True)
        process.terminate()
        out, _ = process.communicate(timeout=60)
    (request,) = [json.loads(line) for line in out.splitlines()]
    check_document(request, "request")
    assert (request["operation"], request["status"]) == ("ListStreamingSessions", 200)


def test_lost_requests_are_counted_in_json() -> None:
    """The line that stands for them is an object too."""
    check_document(json.loads(_DROPPED.format(count=12)), "dropped")


@pytest.mark.parametrize("end", ["stdout", "stderr"])
def test_lines_that_nobody_reads_hold_nothing_up(end: str) -> None:
    """Requests are answered, and a signal ends it, when the reader of its lines has gone away."""
    read, written = os.pipe()
    output = ["--output", "jsonl"] if end == "stdout" else []
    other = "stderr" if end == "stdout" else "stdout"
    streams: dict[str, Any] = {end: written, other: subprocess.PIPE}
    with subprocess.Popen([*SERVE, "--sample", *output], text=True, **streams) as process:
        os.close(written)
        lines = process.stdout or process.stderr
        assert lines is not None
        environment = dict(read_export(lines.readline()) for _ in range(4))
        os.close(read)
        for _ in range(2):
            subprocess.run(LIST, env={**os.environ, **environment}, check=True, capture_output=True)
        process.terminate()
        assert process.wait(60) == 0
