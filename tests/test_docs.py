"""The documentation: every example runs, and prints what the page shows."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
import sys
from configparser import ConfigParser
from typing import TYPE_CHECKING

import click
import pytest

import nimble_stop
from nimble_stop import NimbleClient, local
from nimble_stop._cli.app import program
from nimble_stop.local.faults import kinds
from nimble_stop.local.faults.fault_file import read_rules
from tests._cli.support import options_of
from tests.support.documents import PAGES, ROOT, Block, blocks_of, run_python, run_shell

if TYPE_CHECKING:
    from pathlib import Path

_SHELL = {"console", "sh"}
_EXAMPLES = "tests/examples/"
# What some pages need of the machine, besides a shell with its usual programs.
_PROGRAMS = ("curl", "jq", "npm")


def _python(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language == "python"]


def _shell(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language in _SHELL or _is_script(block)]


def _is_script(block: Block) -> bool:
    """Whether a block shows a file that is run; tests among them are run as tests."""
    name = block.argument.rpartition(_EXAMPLES)[2]
    return (
        block.language == "{literalinclude}"
        and _EXAMPLES in block.argument
        and not name.startswith("test_")
    )


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT / "docs"))


@pytest.mark.parametrize("page", [page for page in PAGES if _python(page)], ids=_name)
def test_python_examples_print_what_is_shown(page: Path, tmp_path: Path) -> None:
    """The page's Python runs as one program, and each part prints what stands below it."""
    run_python(_python(page), tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if _shell(page)], ids=_name)
def test_shell_examples_print_what_is_shown(page: Path, tmp_path: Path) -> None:
    """The page's commands run in one shell, and each prints what stands below it."""
    text = "".join(block.code for block in _shell(page))
    for name in _PROGRAMS:
        if re.search(rf"^(.*[\s(])?{name} ", text, re.MULTILINE) and shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    run_shell(_shell(page), tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_example_is_left_out(page: Path) -> None:
    """What is not run is plain text, data or a directive, and no output is without its example."""
    runs = {"python", *_SHELL}
    others = {
        block.language
        for block in blocks_of(page)
        if block.language not in runs and not block.language.startswith("{")
    }

    assert others <= {"text", "ini", "json", "yaml"}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _python(page) or _shell(page)], ids=_name
)
def test_page_begins_with_what_its_code_needs(page: Path) -> None:
    """Up to its first example a page says how to start an endpoint, or that it needs none."""
    first = next(block for block in blocks_of(page) if block in (*_python(page), *_shell(page)))
    lines = page.read_text(encoding="utf-8").splitlines()
    beginning = "\n".join(lines[: first.line]) + first.code

    assert re.search(r"nimble-stop serve|LocalNimble|--local|nimble_local|no endpoint", beginning)


def test_commands_in_workflows_and_images_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a GitHub workflow or an image runs are commands with options that they have."""
    text = (ROOT / "docs" / "howto" / "ci.md").read_text(encoding="utf-8").replace("\\\n", "")
    steps = [shlex.split(line) for line in re.findall(r"- run: (nimble-stop .*)", text)]
    images: list[list[str]] = [
        json.loads(line) for line in re.findall(r"^CMD (.*)", text, re.MULTILINE)
    ]
    monkeypatch.chdir(tmp_path)
    for file in ("sessions.json", "check.sh"):
        (tmp_path / file).touch()
    for words in steps + images:
        name, *arguments = words[1:]
        program.commands[name].make_context(name, arguments, parent=click.Context(program))

    assert steps
    assert images


def test_faults_that_are_shown_can_be_read() -> None:
    """A JSON list of faults on a page is one that the endpoint takes."""
    shown = [block for page in PAGES for block in blocks_of(page) if block.language == "json"]
    for block in shown:
        assert read_rules(json.loads(block.code)), block

    assert shown


def test_configuration_files_configure_a_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each configuration file that is shown gives a client its region and its endpoint."""
    file = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    shown = [block for page in PAGES for block in blocks_of(page) if block.language == "ini"]
    for block in shown:
        file.write_text(block.code, encoding="utf-8")
        sections = ConfigParser()
        sections.read_string(block.code)
        name = next(iter(sections.sections())).removeprefix("profile ")
        with NimbleClient(profile_name=name) as client:
            assert client.region_name == sections[f"profile {name}"]["region"]
            assert f"endpoint_url = {client.endpoint_url}\n" in block.code

    assert shown


@pytest.mark.parametrize("name", list(program.commands))
def test_examples_of_a_command_name_its_options(name: str) -> None:
    """The examples that the command line's page shows begin with a command and have its options."""
    shared = {option for parameter in program.params for option in parameter.opts}
    epilog = (program.commands[name].epilog or "").splitlines()
    lines = [line for line in epilog if line.startswith("  ") and "|" not in line]
    for line in lines:
        words = re.findall(r"[\w-]+", line)
        command = next(word for word in words if word in program.commands)
        own = options_of(program.commands[command])

        assert "nimble-stop" in words
        assert command == name
        assert set(re.findall(r"--[\w-]+", line)) <= own | shared

    assert lines


def test_reference_has_every_public_name() -> None:
    """What can be imported is described, but for the version and the name for all faults."""
    pages = (ROOT / "docs" / "reference").glob("*.md")
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    described = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)", text, re.MULTILINE))
    if "{fault-classes}" in text:
        described |= {f"nimble_stop.local.{name}" for name in kinds.__all__}
    public = {f"nimble_stop.{name}" for name in nimble_stop.__all__}
    public |= {f"nimble_stop.local.{name}" for name in local.__all__}

    assert public - described == {"nimble_stop.__version__", "nimble_stop.local.Fault"}


def test_page_on_the_environment_names_each_variable() -> None:
    """The page on what leads to the endpoint has every variable that is set or removed."""
    page = ROOT / "docs" / "reference" / "environment.md"
    table = page.read_text(encoding="utf-8").partition("## Formats")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    with local.LocalNimble() as endpoint:
        environment = endpoint.environment_changes({})

    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {*environment.variables, *environment.unset, "AWS_SESSION_TOKEN"}


def test_page_on_a_call_names_each_floor() -> None:
    """The table of the floors has every folder and module of the package, and no other."""
    page = ROOT / "docs" / "background" / "one-call.md"
    table = page.read_text(encoding="utf-8").partition("## The floors")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    assert sorted(named) == sorted(_floors())


def test_drawing_of_a_call_names_folders() -> None:
    """What has a folder's name in the drawing of a call is one."""
    drawing = (ROOT / "docs" / "background" / "one-call.svg").read_text(encoding="utf-8")
    named = set(re.findall(r"(?<!\w)_\w+", "".join(re.findall(r">([^<]+)<", drawing))))

    assert named
    assert named <= _floors()


def test_floors_are_drawn_from_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing of the floors has a box for every folder and module of the package."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "_ext"), *sys.path])
    drawing: str = importlib.import_module("floors").draw()

    assert set(re.findall(r'class="code"[^>]*>(\w+)<', drawing)) == _floors()


def test_trace_is_drawn_from_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing of a trace has the calls of a real run, and the attempts below them."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "_ext"), *sys.path])
    drawing: str = importlib.import_module("trace_drawing").draw()
    lines = re.findall(r'class="code"[^>]*>([^<]+)<', drawing)

    for session_id, attempts in (
        ("artist-1", ["POST 200"]),
        ("artist-2", ["POST 429", "POST 200"]),
        ("artist-3", ["POST no answer", "POST 200"]),
    ):
        place = lines.index(f"Stop {session_id}") + 1
        assert lines[place : place + len(attempts)] == attempts


def _floors() -> set[str]:
    """List the folders and modules of the package that stand on a floor."""
    names = {path.stem for path in (ROOT / "nimble_stop").iterdir() if path.suffix in {"", ".py"}}
    return {name for name in names if not name.startswith("__")} - {"_version"}


@pytest.mark.parametrize(
    "word",
    [
        *(
            "unittest",
            "FastAPI",
            "Flask",
            "GitHub Actions",
            "Docker",
            "curl",
            "jq",
            "npm",
            "Sentry",
        ),
        *("before_send", "OpenTelemetry", "on_attempt", "aioresponses", "requests_mock", "moto"),
        *("LocalStack", "Windows", "How do I make my tests fast"),
    ],
)
def test_index_of_guides_has_the_words_that_are_searched(word: str) -> None:
    """The index names each tool that a reader may come from, beside the page about it."""
    index = (ROOT / "docs" / "howto" / "index.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^- (.*\b{word}\b.*)$", index, re.MULTILINE)
    target = re.search(r"\]\((\w[\w-]*\.md)", line)
    assert target is not None
    text = (ROOT / "docs" / "howto" / target[1]).read_text(encoding="utf-8")

    assert word in text or word.startswith("How")


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_files_that_are_named_exist(page: Path) -> None:
    """A file of the repository that a page names is there."""
    named = re.findall(r"`((?:nimble_stop|tests|docs)/[^`\s]*)`", page.read_text(encoding="utf-8"))

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_change_has_its_files_and_its_test() -> None:
    """Each row of the table for contributors names files and tests that are there."""
    page = ROOT / "docs" / "contributing.md"
    text = page.read_text(encoding="utf-8").partition("## Where to change what")[2]
    rows = re.findall(r"^\| (?!What you want|---)(.*) \| (`.*) \| (.*) \|$", text, re.MULTILINE)
    for what, files, test in rows:
        named = re.findall(r"`([^`]+)`", f"{files} {test}")

        assert [name for name in named if not (ROOT / name).exists()] == [], what

    assert len(rows) > 30


def test_every_example_file_is_shown() -> None:
    """Every file in tests/examples is shown by a page."""
    shown = {
        (page.parent / block.argument).resolve()
        for page in PAGES
        for block in blocks_of(page)
        if _EXAMPLES in block.argument
    }
    files = {
        path
        for path in (ROOT / _EXAMPLES).iterdir()
        if path.is_file() and path.name != "__init__.py"
    }

    assert files == shown
