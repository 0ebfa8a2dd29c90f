from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from nimble_stop._cli import app

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble
    from tests.cli.support import Cli

COMMANDS = {"stop", "list", "show", "wait", "serve", "completion"}


def test_help_names_everything(cli: Cli) -> None:
    """Help tells the commands, the way to try them, and every exit code."""
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
    """What is wrong is told on standard error."""
    ran = cli(*words)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err


def test_without_a_command_there_is_help(cli: Cli) -> None:
    """The bare program explains itself."""
    ran = cli()
    assert "Commands:" in ran.out + ran.err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt, 130, "nimble-stop: Interrupted.\n"),
        (BrokenPipeError, 0, ""),
    ],
)
def test_whatever_click_lets_through_is_caught(
    error: type[BaseException],
    code: int,
    told: str,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An interrupt outside of a command, or a closed pipe under help, ends quietly too."""

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(app.program, "main", fail)
    ran = cli("--help")
    assert (ran.code, ran.err) == (code, told)


def test_streams_that_cannot_be_reconfigured_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program that replaced the streams can still call main()."""
    monkeypatch.setattr(sys, "stdout", StringIO())
    assert app.run(["--version"]) == 0


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
