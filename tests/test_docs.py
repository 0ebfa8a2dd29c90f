"""The documentation: every example runs, and prints what the page shows."""

from __future__ import annotations

import datetime as dt
import importlib
import inspect
import json
import re
import shlex
import shutil
import sys
import tomllib
from configparser import ConfigParser
from typing import TYPE_CHECKING

import attrs
import click
import pytest
from sphinx.util.inspect import stringify_signature

import nimble_stop
from nimble_stop import NimbleClient, local
from nimble_stop._cli.app import program
from nimble_stop.local.faults import kinds
from nimble_stop.local.faults.fault_file import read_rules
from tests._cli.support import options_of
from tests.support.documents import PAGES, README, ROOT, Block, blocks_of, run_python, run_shell

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

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
    """Before its first example a page shows how to start an endpoint, or says why it need not."""
    first = next(block for block in blocks_of(page) if block in (*_python(page), *_shell(page)))
    lines = page.read_text(encoding="utf-8").splitlines()
    beginning = " ".join(lines[: first.line])

    assert re.search(
        r"```text nimble-stop serve .*-- |`--local`|`nimble_local`|"
        r"no endpoint|endpoints? of (its|their) own",
        beginning,
    )


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


def test_page_on_configuration_names_each_argument() -> None:
    """The table of settings has every argument of a client, and no other."""
    page = ROOT / "docs" / "reference" / "configuration.md"
    table = page.read_text(encoding="utf-8").partition("## Defaults")[0]
    named = re.findall(r"^\| [^|]+ \| `(\w+)` \|", table, re.MULTILINE)

    assert sorted(named) == sorted(inspect.signature(NimbleClient).parameters)


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


@pytest.mark.parametrize("public", [nimble_stop, local])
def test_signatures_show_defaults(public: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """No signature shows NOTHING, the repr of a function, or the environment of the process."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "_ext"), *sys.path])
    show = importlib.import_module("signatures").show_defaults
    described = [getattr(public, name) for name in public.__all__]
    for kind in [kind for kind in described if isinstance(kind, type)]:
        described += [member for name, member in vars(kind).items() if not name.startswith("_")]
    for value in described:
        if inspect.isfunction(value) or (inspect.isclass(value) and attrs.has(value)):
            signature = stringify_signature(inspect.signature(value))
            shown, _ = show(None, "", "", value, None, signature, "")

            assert not re.search(r"NOTHING|= <|environ\(\{", shown), value


def _floors() -> set[str]:
    """List the folders and modules of the package that stand on a floor."""
    names = {path.stem for path in (ROOT / "nimble_stop").iterdir() if path.suffix in {"", ".py"}}
    return {name for name in names if not name.startswith("__")} - {"_version"}


@pytest.mark.parametrize("index", ["index.md", "howto/index.md"])
@pytest.mark.parametrize(
    "word",
    [
        *(
            "pytest",
            "unittest",
            "FastAPI",
            "Flask",
            "GitHub Actions",
            "Docker",
            "curl",
            "--aws-sigv4",
            "jq",
            "npm",
            "Sentry",
        ),
        *("before_send", "OpenTelemetry", "on_attempt", "aioresponses", "requests_mock", "moto"),
        *("LocalStack", "Windows", "How do I make my tests fast"),
    ],
)
def test_start_pages_have_the_words_that_are_searched(word: str, index: str) -> None:
    """The front page and the index of guides name each tool, and link to a page about it."""
    page = ROOT / "docs" / index
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if word in line]
    targets = re.findall(r"\]\((\w[\w/-]*\.md)", "\n".join(lines))
    text = "".join((page.parent / target).read_text(encoding="utf-8") for target in targets)

    assert (word if not word.startswith("How") else "tests fast") in text


def test_changelog_begins_with_the_version() -> None:
    """The newest entry of the changelog is that of the package's version, with its date."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.findall(r"^## \[(\S+)\] - (\S+)$", text, re.MULTILINE)[0]

    assert version == nimble_stop.__version__
    assert str(dt.date.fromisoformat(date)) == date


def test_classifiers_and_pages_name_the_same_pythons() -> None:
    """The page on what is public says that the tests run on the Pythons of the classifiers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    classified = re.findall(
        r":: Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE
    )
    page = (ROOT / "docs" / "background" / "compatibility.md").read_text(encoding="utf-8")

    assert f"| CPython {', '.join(classified)} on Linux |" in page
    readme = " ".join(README.read_text(encoding="utf-8").split())
    assert f"Python {', '.join(classified[:-1])} and {classified[-1]};" in readme


def test_tolerance_is_stated_once() -> None:
    """A number that decides what counts as an old answer stands in one place."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    flows = (ROOT / "nimble_stop" / "_flows").glob("*.py")
    source = "".join(module.read_text(encoding="utf-8") for module in flows)
    (tolerance,) = re.findall(r"^_CLOCK_TOLERANCE: Final = (.*)$", source, re.MULTILINE)

    assert text.count(f"{tolerance} seconds") == 1
    assert "tolerance of" not in text


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
