"""The floors of the package: imports only go down, and the check that says so works."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
WRONG = [
    ("_api/errors.py", "def f() -> None:\n    from nimble_stop._client import base\n"),
    ("_call/steps.py", "from nimble_stop import _transport\n"),
    ("models.py", "if TYPE_CHECKING:\n    from nimble_stop._api import errors\n"),
    ("local/__init__.py", "def f() -> None:\n    from nimble_stop._config import options\n"),
    ("_flows/bulk.py", "def f() -> None:\n    import nimble_stop.local\n"),
]


def lint(directory: Path) -> str:
    """Check the imports of a copy of the package; give what was said."""
    checked = subprocess.run(
        [sys.executable, "-c", _LINT, "--no-cache"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{checked.returncode} {checked.stdout}{checked.stderr}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of the package and of its contract."""
    shutil.copytree(ROOT / "nimble_stop", tmp_path / "nimble_stop")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_only_go_down(copy: Path) -> None:
    """The package keeps its contract."""
    assert lint(copy).startswith("0 ")


@pytest.mark.parametrize(("module", "wrong"), WRONG)
def test_wrong_imports_are_found(module: str, wrong: str, copy: Path) -> None:
    """An import that goes up is found, also in a function or for types alone."""
    with (copy / "nimble_stop" / module).open("a") as file:
        file.write(wrong)

    name = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    said = lint(copy)
    assert "BROKEN" in said
    assert f" nimble_stop.{name} -> nimble_stop." in said
