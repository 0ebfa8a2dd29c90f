from __future__ import annotations

import os
import runpy
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import nimble_stop
from nimble_stop import __main__ as nimble_stop_main
from nimble_stop.__main__ import main

if TYPE_CHECKING:
    from tests._cli.support import Cli

SLOW = {"botocore", "requests", "aiohttp", "rich", "cattrs", "nimble_stop.local"}


@pytest.mark.parametrize("name", ["click", "rich", "aiohttp"])
def test_a_missing_package_is_reported_in_one_sentence(name: str) -> None:
    """Without the extra the program says what to install, and ends with 255."""
    code = (
        f"import sys; sys.modules[{name!r}] = None\n"
        "sys.stdout.isatty = lambda: True\n"
        "from nimble_stop.__main__ import main\n"
        "sys.exit(main(['--local', 'show', 'demo-studio', 'artist-1']))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TERM": "xterm"},
    )
    assert process.returncode == 255
    assert process.stderr == (
        f"nimble-stop: the command line needs {name}, which is not installed; "
        "install it with: pip install 'nimble-stop[cli]'\n"
    )


def test_help_loads_nothing_slow() -> None:
    """Whoever asks for help does not wait for what a call needs."""
    code = (
        "import sys\nfrom nimble_stop.__main__ import main\nmain(['stop', '--help'])\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(process.stderr.split())
    assert "click" in loaded
    assert not SLOW & loaded


def test_python_m_is_the_program() -> None:
    """``python -m nimble_stop`` takes the process's words and gives its exit code."""
    for words, code in ((["--version"], 0), (["--nonsense"], 2)):
        process = subprocess.run(
            [sys.executable, "-m", "nimble_stop", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == code
        if not code:
            assert process.stdout == f"nimble-stop {nimble_stop.__version__}\n"


def test_without_arguments_the_words_of_the_process_count(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The console script calls main() with nothing."""
    monkeypatch.setattr(sys, "argv", ["nimble-stop", "--version"])
    assert main() == 0
    assert nimble_stop.__version__ in cli.capture.readouterr().out


def test_a_package_without_a_name_is_reported_too(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is missing, the remedy is the same."""

    def fail(_: object) -> int:
        raise ModuleNotFoundError

    monkeypatch.setattr("nimble_stop._cli.app.run", fail)
    ran = cli("--version")
    assert ran.code == 255
    assert "needs a package, which is not installed" in ran.err


def test_an_interrupt_while_loading_is_reported(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C shows no traceback, however early it comes."""

    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("nimble_stop._cli.app.run", interrupt)
    ran = cli("list", "demo-studio")
    assert (ran.code, ran.out, ran.err) == (130, "", "nimble-stop: Interrupted.\n")


def test_the_module_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a program, the module passes the exit code on."""
    monkeypatch.setattr(sys, "argv", ["nimble-stop", "--nonsense"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(nimble_stop_main.__file__), run_name="__main__")
    assert ended.value.code == 2
