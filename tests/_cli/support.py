"""Running the command line: inside the test with its streams kept, or in a real terminal."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from jsonschema import Draft202012Validator

import nimble_stop
from nimble_stop.__main__ import main
from nimble_stop._cli import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from nimble_stop.local import LocalNimble

STUDIO = "studio-1"
SCHEMA: dict[str, Any] = json.loads(
    Path(terminal.__file__).with_name("schema.json").read_text(encoding="utf-8")
)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def plain(text: str) -> str:
    """Take colours and movements of the cursor out of what a terminal was sent."""
    return _CONTROL.sub("", text)


def options_of(command: click.Command) -> set[str]:
    """Give the options of a command, those too that it makes when they are asked for."""
    parameters = command.get_params(click.Context(command))
    return {option for parameter in parameters for option in parameter.opts}


def check_document(document: Mapping[str, Any], definition: str) -> None:
    """Check an object, as a program reads it, against a definition of the schema."""
    schema = {**SCHEMA, "$ref": f"#/$defs/{definition}"}
    validate(json.loads(json.dumps(document)), schema)


def validate(document: Any, schema: dict[str, Any]) -> None:  # noqa: ANN401  # JSON holds anything
    """Check what was read from JSON against a schema."""
    validator = Draft202012Validator(schema)
    assert validator.is_valid(document), document  # pyright: ignore[reportUnknownMemberType]  # its stubs leave a type open


def make_result(
    session_id: str = "artist-1",
    *,
    state: str | None = "STOPPED",
    error: nimble_stop.NimbleStopError | None = None,
    repeated: bool = False,
) -> nimble_stop.StopResult:
    """Make the result of one session of a run."""
    session = nimble_stop.StreamingSession(
        state=None if state is None else nimble_stop.StreamingSessionState(state),
        volume_retention_mode=nimble_stop.VolumeRetentionMode.RETAIN,
    )
    return nimble_stop.StopResult(
        session_id=session_id,
        session=None if error else session,
        error=error,
        client_token="token-1",
        attempts=1,
        repeated=repeated,
    )


def resume_of(text: str) -> list[str]:
    """Read the command that a message advises, without the program's name."""
    words = shlex.split(text.splitlines()[-1].partition(": nimble-stop ")[2])
    assert words[-2] == "--run-id"
    return words


def start_again(local: LocalNimble, session_id: str, *, seconds: float = 60) -> None:
    """Start a session of the studio that was stopped a while ago; the library has no such call."""
    local.advance(seconds)
    session = f"studios/{STUDIO}/streaming-sessions/{session_id}"
    request = AWSRequest(
        "POST",
        f"{local.endpoint_url}/2020-08-01/{session}/start",
        data=b"{}",
        headers={"Content-Type": "application/json"},
    )
    SigV4Auth(local.credentials, "nimble", local.region_name).add_auth(request)
    prepared = request.prepare()
    answer = requests.post(
        prepared.url, data=prepared.body, headers=dict(prepared.headers), timeout=30
    )
    answer.raise_for_status()
    local.advance(seconds)


class FakeStream(io.StringIO):
    """A standard stream that no process owns, and that fails.

    Args:
        error: What writing comes to.
        after: How many texts are written before it does.
    """

    def __init__(self, error: OSError, *, after: int = 0) -> None:
        super().__init__()
        self.written: list[str] = []
        self._error = error
        self._after = after

    def write(self, text: str) -> int:
        """Keep a text, and fail when it is time to."""
        self.written.append(text)
        if len(self.written) > self._after:
            raise self._error
        return len(text)


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
    type_in: Callable[[str], bytes] = lambda _: b"",
) -> tuple[int, str]:
    """Run a command line in a process with a terminal of its own.

    Args:
        words: The command line behind the program's name.
        columns: The terminal's width.
        environment: Variables to add.
        on_output: Called with all that was shown so far, whenever there is more.
        type_in: Called likewise, gives what is typed then.

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
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # no threads yet
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
            os.write(ours, type_in(shown))
    finally:
        os.close(ours)
        process.kill()
        process.wait()
