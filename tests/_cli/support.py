"""Running the command line: inside the test with its streams kept, or in a real terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import attrs
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from nimble_stop.__main__ import main
from nimble_stop._cli.order import Order
from nimble_stop._cli.selection import Filters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from nimble_stop.local import LocalNimble

STUDIO = "studio-1"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def plain(text: str) -> str:
    """Take colours and movements of the cursor out of what a terminal was sent."""
    return _CONTROL.sub("", text)


def make_order(**changes: Any) -> Order:  # noqa: ANN401  # whatever the order's members are
    """Make an order to stop one session by name, with some changes."""
    members: dict[str, Any] = {
        "studio_id": "studio-1",
        "session_ids": ("artist-1",),
        "everything": False,
        "filters": Filters(),
        "retention": None,
        "dry_run": False,
        "yes": False,
        "wait": False,
        "deadline": None,
        "max_concurrency": 8,
        "fail_fast": False,
        "run_id": "run-1",
        "resumed": False,
    }
    return Order(**members | changes)


def start_again(local: LocalNimble, session_id: str) -> None:
    """Start a session of the studio that was stopped a while ago; the library has no such call."""
    local.advance(60)
    session = f"studios/{STUDIO}/streaming-sessions/{session_id}"
    request = AWSRequest("POST", f"{local.endpoint_url}/2020-08-01/{session}/start", data=b"{}")
    SigV4Auth(local.credentials, "nimble", local.region_name).add_auth(request)
    prepared = request.prepare()
    answer = requests.post(
        prepared.url, data=prepared.body, headers=dict(prepared.headers), timeout=30
    )
    answer.raise_for_status()
    local.advance(60)


@attrs.frozen
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  # JSON holds anything
        """Standard output, read."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output, read line by line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:  # noqa: ANN401  # likewise
        """The last line of standard error, read."""
        return json.loads(self.err.splitlines()[-1])


@attrs.frozen
class Cli:
    """Runs command lines in this process."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Ran:
        """Run one."""
        self.capture.readouterr()
        code = main(words)
        out, err = self.capture.readouterr()
        return Ran(code, out, err)


def run_in_terminal(
    words: tuple[str, ...],
    *,
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
    on_output: Callable[[str, subprocess.Popen[bytes]], object] | None = None,
) -> tuple[int, str]:
    """Run a command line in a process with a terminal of its own.

    Args:
        words: The command line behind the program's name.
        columns: The terminal's width.
        environment: Variables to add.
        on_output: Called with all that was shown so far, whenever there is more.

    Returns:
        The exit code and what was shown.
    """
    ours, theirs = pty.openpty()
    added = {"TERM": "xterm-256color", "COLUMNS": str(columns), **(environment or {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "nimble_stop", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **added},
        start_new_session=True,
    )
    os.close(theirs)
    shown = ""
    try:
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                piece = b""
            if not piece:
                return process.wait(timeout=30), shown
            shown += piece.decode(errors="replace")
            if on_output is not None:
                on_output(shown, process)
    finally:
        os.close(ours)
        process.kill()
        process.wait()
