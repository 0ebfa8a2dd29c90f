"""The README: its Quickstart and its examples do what they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from nimble_stop import exceptions
from nimble_stop._cli import app
from tests._cli.support import options_of
from tests.support.documents import README, ROOT, blocks_of, run_python, run_shell

if TYPE_CHECKING:
    from pathlib import Path

_INSTALL = "python3 -m venv .venv && .venv/bin/python -m pip install --quiet '.[{}]' && .venv/bin/"


def _quickstart() -> list[str]:
    section = README.read_text(encoding="utf-8").partition("\n## Quickstart\n")[2]
    return re.findall(
        r"^```sh\n(.*?)^```$", section.partition("\n## ")[0], re.DOTALL | re.MULTILINE
    )


def test_quickstart_is_two_lines_that_install_and_run() -> None:
    """The Quickstart has two sh blocks of one line: one runs the program, one runs the tests."""
    run, test = _quickstart()

    assert run.startswith(_INSTALL.format("cli") + "nimble-stop --local stop ")
    assert test == _INSTALL.format("dev") + "python -m pytest -n 2\n"
    assert run.count("\n") == 1


def test_quickstart_shows_a_session_stopped(tmp_path: Path) -> None:
    """The first line, once installed, prints what the README shows: a session that is STOPPED."""
    block = next(block for block in blocks_of(README) if block.language == "sh")
    installed = attrs.evolve(block, code=block.code.removeprefix(_INSTALL.format("cli")))

    assert block.output is not None
    assert "-> STOPPED" in block.output
    run_shell([installed], tmp_path)


def test_python_examples_print_what_is_shown(tmp_path: Path) -> None:
    """The README's Python runs as it stands and prints what stands below it."""
    run_python([block for block in blocks_of(README) if block.language == "python"], tmp_path)


def test_no_example_is_left_out() -> None:
    """What is not run is the summary of the command line; no output is without its example."""
    languages = [block.language for block in blocks_of(README)]

    assert sorted(languages) == ["python", "python", "sh", "sh", "text"]


def test_summary_of_the_command_line_is_true() -> None:
    """Each line begins with a command, and names options that this command has."""
    summary = next(block.code for block in blocks_of(README) if block.language == "text")
    for line in summary.splitlines():
        program, name, *_ = line.split()
        command = app.program.commands[name]
        options = options_of(command)

        assert program == "nimble-stop"
        assert set(re.findall(r"--[\w-]+", line)) <= options


def test_table_names_every_kind_of_error() -> None:
    """The table has every exception but the roots and the subclasses of TransportError."""
    text = README.read_text(encoding="utf-8")
    kinds = {getattr(exceptions, name) for name in exceptions.__all__}
    named = {kind for kind in kinds if f"`{kind.__name__}`" in text}
    transport = {kind for kind in kinds if issubclass(kind, exceptions.TransportError)}

    assert kinds - named == transport - {exceptions.TransportError} | {exceptions.ServiceError}


def test_links_lead_to_files() -> None:
    """Every relative link leads to a file of the repository."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text(encoding="utf-8"))

    assert targets
    assert [target for target in targets if not (ROOT / target).is_file()] == []
