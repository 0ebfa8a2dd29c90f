from __future__ import annotations

import os
import shutil
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING

import click
import pytest
from click.shell_completion import get_completion_class

from nimble_stop._cli import app
from tests._cli.support import STUDIO

if TYPE_CHECKING:
    from pathlib import Path

    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli

COMMANDS = {"stop", "list", "show", "wait", "serve", "completion"}


def test_help_names_everything(cli: Cli) -> None:
    """Help shows the commands, the way to try them, and every exit code."""
    ran = cli("--help")
    assert ran.code == 0
    for text in (*COMMANDS, "--local", "124", "130", "253", "254", "255"):
        assert text in ran.out


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_with_examples(command: str, cli: Cli) -> None:
    """Each example begins with the program's name or sets it up."""
    ran = cli(command, "-h")
    assert ran.code == 0
    assert "nimble-stop" in ran.out[ran.out.index("Examples:") :]


@pytest.mark.parametrize(
    "words", [["--nonsense"], ["nonsense"], ["show"], ["show", "a", "b", "c"], ["list", "--state"]]
)
def test_a_wrong_command_line_ends_with_2(words: list[str], cli: Cli) -> None:
    """What is wrong is on standard error."""
    ran = cli(*words)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err


def test_without_a_command_there_is_help(cli: Cli) -> None:
    """The bare program explains itself."""
    ran = cli()
    assert "Commands:" in ran.out + ran.err


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (click.Abort(), 130, "nimble-stop: Interrupted.\n"),
        (BrokenPipeError(), 0, ""),
        (
            OSError(28, "No space left on device"),
            255,
            (
                "nimble-stop: Reading or writing failed: No space left on device. Check where its "
                "input comes from and its output goes to, then repeat the command.\n"
            ),
        ),
    ],
)
def test_whatever_click_lets_through_is_caught(
    error: Exception,
    code: int,
    shown: str,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An interrupt outside of a command, and help that cannot be written, show no traceback."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(app.program, "main", fail)
    ran = cli("--help")
    assert (ran.code, ran.err) == (code, shown)


def test_streams_that_cannot_be_reconfigured_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program that replaced the streams can still call main()."""
    monkeypatch.setattr(sys, "stdout", StringIO())
    assert app.run(["--version"]) == 0


def run_with_shell(redirection: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command line with a stream that a shell changed."""
    return subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-m", "nimble_stop", *words],
        capture_output=True,
        check=False,
    )


def test_a_stream_that_is_not_there_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has None where a stream was closed from the beginning."""
    monkeypatch.setattr(sys, "stdin", None)
    assert app.run(["--version"]) == 0
    with sys.stdin as stdin:
        assert stdin.read() == ""


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_failure(redirection: str, studio: LocalNimble) -> None:
    """A daemon may start the program without standard input, output or error."""
    ran = run_with_shell(redirection, "stop", STUDIO, "artist-1", "artist-2")
    assert ran.returncode == 0
    assert b"isatty" not in ran.stderr
    studio.requests.assert_applied(2, operation="StopStreamingSession")


def test_bytes_that_are_no_text_are_no_id(studio: LocalNimble, tmp_path: Path) -> None:
    """They are refused for themselves, and the other ids on standard input are stopped."""
    file = tmp_path / "ids"
    file.write_bytes(b"artist-1\n\xff\n")
    ran = run_with_shell(f"<{file}", "stop", STUDIO, "-")
    assert ran.returncode == 1
    studio.requests.assert_stopped_once("artist-1")


def test_what_a_stream_cannot_encode_is_escaped(studio: LocalNimble) -> None:
    """An ASCII terminal shows an id of any script."""
    studio.add_session(studio_id="s", session_id="日本")
    process = subprocess.run(
        [sys.executable, "-m", "nimble_stop", "show", "s", "日本"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert process.stdout.splitlines()[0] == b"session      \\u65e5\\u672c"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(shell: str, cli: Cli) -> None:
    """The script asks the program itself, and the shell can read it."""
    ran = cli("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"_NIMBLE_STOP_COMPLETE={shell}_complete" in ran.out
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=ran.out, text=True, check=True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nimble-stop s", {"stop", "show", "serve"}),
        ("nimble-stop --local sto", {"stop"}),
        ("nimble-stop stop --reten", {"--retention"}),
        ("nimble-stop stop --retention ", {"RETAIN", "DELETE"}),
        ("nimble-stop list studio-1 --state STOP_", {"STOP_IN_PROGRESS", "STOP_FAILED"}),
    ],
)
def test_words_are_completed(line: str, expected: set[str]) -> None:
    """The program answers the question that the script asks."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_NIMBLE_STOP_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    process = subprocess.run(
        [sys.executable, "-m", "nimble_stop"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    answers = {answer.partition(",")[2] for answer in process.stdout.splitlines()}
    assert answers == expected


def test_another_shell_is_a_usage_error(cli: Cli) -> None:
    """The message names those that there are."""
    ran = cli("completion", "csh")
    assert ran.code == 2
    assert "fish" in ran.err


def test_local_takes_no_word_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows --local is completed as if it was not there."""
    monkeypatch.setenv("COMP_WORDS", "nimble-stop --local sto")
    monkeypatch.setenv("COMP_CWORD", "2")
    kind = get_completion_class("bash")
    assert kind is not None
    assert kind(app.program, {}, "nimble-stop", "_NIMBLE_STOP_COMPLETE").complete() == "plain,stop"
