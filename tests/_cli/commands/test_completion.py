from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import get_completion_class

from nimble_stop._cli.app import program

if TYPE_CHECKING:
    from tests._cli.support import Cli


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
    assert kind(program, {}, "nimble-stop", "_NIMBLE_STOP_COMPLETE").complete() == "plain,stop"
