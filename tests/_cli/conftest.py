from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests._cli.support import STUDIO, Cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nimble_stop.local import LocalNimble


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a folder of its own for what lasts from one command to the next."""
    folder = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run command lines in this process, in a pipe."""
    monkeypatch.setenv("COLUMNS", "80")
    return Cli(capsys)


@pytest.fixture
def studio(nimble_local: LocalNimble) -> LocalNimble:
    """Serve a studio with three sessions that are ready and one that is stopped."""
    for number in (1, 2, 3):
        nimble_local.add_session(
            studio_id=STUDIO,
            session_id=f"artist-{number}",
            owned_by="amara" if number == 1 else "bjorn",
            tags={"department": "lighting" if number == 2 else "animation"},
        )
    nimble_local.add_session(studio_id=STUDIO, session_id="review-room", state="STOPPED")
    return nimble_local


@pytest.fixture
def as_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make streams of this process pass for a terminal."""
    del cli  # its streams are in place now

    def make(*names: str, columns: int = 80) -> None:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", str(columns))
        for name in names or ("stdin", "stdout", "stderr"):
            monkeypatch.setattr(getattr(sys, name), "isatty", lambda: True)

    return make
