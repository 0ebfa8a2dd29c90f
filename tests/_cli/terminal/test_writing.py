from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nimble_stop._cli.terminal.writing import (
    Output,
    counted,
    folded,
    is_terminal,
    one_line,
    printable,
    values_writer,
    write,
    write_json,
    write_rows,
)
from tests._cli.support import FakeStream, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = {"session": "artist-1", "empty": None, "tags": "a fairly long text of several words"}


def numbered(number: int) -> dict[str, int]:
    """Make an object of a number."""
    return {"schemaVersion": 1, "number": number}


def test_rows_in_a_pipe_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Labels are padded to one width, and empty values left out."""
    write_rows(ROWS)
    assert capsys.readouterr().out == (
        "session  artist-1\ntags     a fairly long text of several words\n"
    )


def test_rows_in_a_terminal_fit_it(
    as_terminal: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A long value goes on below itself, and no line is wider than the terminal."""
    as_terminal("stdout", columns=30)
    write_rows(ROWS, styles={"session": "bold"})
    lines = [line.rstrip() for line in plain(capsys.readouterr().out).splitlines()]
    assert lines == [
        "session  artist-1",
        "tags     a fairly long text of",
        "         several words",
    ]


def test_no_color_is_respected(
    as_terminal: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NO_COLOR takes the colours away, and only it does."""
    as_terminal("stdout")
    write_rows(ROWS, styles={"session": "green"})
    assert "\x1b[32m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    write_rows(ROWS, styles={"session": "green"})
    assert "\x1b[32m" not in capsys.readouterr().out


def test_a_dumb_terminal_is_treated_as_a_pipe(
    as_terminal: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal that cannot move its cursor gets plain lines."""
    as_terminal("stdout")
    assert is_terminal(sys.stdout)
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(sys.stdout)


def test_one_object_is_readable_json_or_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is indented; as JSON lines it is one line. Both are ASCII."""
    write_json({"state": "é"}, Output.JSON)
    assert capsys.readouterr().out == '{\n  "schemaVersion": 1,\n  "state": "\\u00e9"\n}\n'
    write_json({"state": "é"}, Output.JSONL)
    assert capsys.readouterr().out == '{"schemaVersion": 1, "state": "\\u00e9"}\n'


@pytest.mark.parametrize("count", [0, 1, 3])
def test_many_objects_are_one_array_or_a_line_each(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any number of objects can be read back."""
    objects = [numbered(number) for number in range(count)]
    for output in (Output.JSON, Output.JSONL):
        with values_writer(output, str, numbered) as write_value:
            for number in range(count):
                write_value(number)
        text = capsys.readouterr().out
        if output is Output.JSON:
            assert json.loads(text) == objects
        else:
            assert [json.loads(line) for line in text.splitlines()] == objects
        assert text.endswith("\n") or not text


def test_an_array_is_closed_whatever_happens(capsys: pytest.CaptureFixture[str]) -> None:
    """What was written before a failure can still be read."""

    def fail() -> None:
        with values_writer(Output.JSON, str, numbered) as write_value:
            write_value(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert json.loads(capsys.readouterr().out) == [numbered(1)]


def test_a_standard_stream_that_cannot_be_written_to_is_silenced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still in its buffer goes nowhere when the interpreter flushes it."""
    with (tmp_path / "file").open("w+", encoding="utf-8") as file:
        stream = FakeStream(OSError(errno.EIO, "gone"))
        stream.fileno = file.fileno  # type: ignore[method-assign]
        # This is no stream of the process; the test only says that it is one.
        monkeypatch.setattr(sys, "__stdout__", stream)
        with pytest.raises(OSError, match="gone"):
            write("text", stream)
        os.write(file.fileno(), b"not here")
    assert (tmp_path / "file").read_text(encoding="utf-8") == ""


PIPES = """
import sys
from nimble_stop._cli.terminal.writing import Output, note, values_writer, write
try:
    {action}
except BrokenPipeError:
    print("closed", file=sys.stderr)
"""


@pytest.mark.parametrize(
    "action",
    ["write('text')", "with values_writer(Output.JSON, str, dict) as write_value: write_value({})"],
)
def test_a_reader_that_went_away_is_reported_once_and_quietly(action: str) -> None:
    """The writer learns of it, and the interpreter ends without complaint."""
    read, written = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-c", PIPES.format(action=action)],
        stdout=written,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(written)
    assert (process.returncode, process.stderr) == (0, b"closed\n")


def test_a_note_that_nobody_reads_is_dropped() -> None:
    """A closed standard error stops nothing."""
    read, written = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-c", PIPES.format(action="note('text'); print('on')")],
        stdout=subprocess.PIPE,
        stderr=written,
        check=False,
    )
    os.close(written)
    assert (process.returncode, process.stdout) == (0, b"on\n")


def test_a_closed_array_is_not_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the reader went away in the middle, its end is not written."""
    stream = FakeStream(BrokenPipeError(), after=1)

    def write_two() -> None:
        with values_writer(Output.JSON, str, numbered) as write_value:
            write_value(1)
            write_value(2)

    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(BrokenPipeError):
        write_two()
    assert stream.written == [
        '[\n{"schemaVersion": 1, "number": 1}',
        ',\n{"schemaVersion": 1, "number": 2}',
    ]


def test_the_descriptor_of_a_stream_that_another_owns_is_left_alone(tmp_path: Path) -> None:
    """Only a standard stream of the process is silenced when it cannot be written to."""
    with (tmp_path / "file").open("w+", encoding="utf-8") as file:
        stream = FakeStream(OSError(errno.EIO, "gone"))
        stream.fileno = file.fileno  # type: ignore[method-assign]
        with pytest.raises(OSError, match="gone"):
            write("text", stream)
        os.write(file.fileno(), b"still here")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "still here"


def test_a_text_for_a_terminal_is_broken_between_words(as_terminal: Callable[..., None]) -> None:
    """In a pipe it stays one line; a word that is too long stays whole."""
    text = "StopStreamingSession needs one-that-is-far-too-long to break"
    assert folded(text) == text
    as_terminal("stderr", columns=20)
    assert folded(text).splitlines() == [
        "StopStreamingSession",
        "needs",
        "one-that-is-far-too-long",
        "to break",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("artist-1", "artist-1"),
        ("日本語 é", "日本語 é"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202eevil", "\\u202eevil"),
        ("\ud800", "\\ud800"),
    ],
)
def test_nothing_reaches_a_terminal_raw(text: str, shown: str) -> None:
    """What a terminal would act on is escaped, and all else is left alone."""
    assert printable(text) == shown


def test_a_text_with_line_breaks_is_put_on_one_line() -> None:
    """Line breaks become spaces, other control characters are escaped."""
    assert one_line("one\n  two\r\nthree\x07") == "one two three\\x07"


def test_one_is_singular() -> None:
    """A noun agrees with its number."""
    assert [counted(n, "session") for n in (0, 1, 2134)] == [
        "0 sessions",
        "1 session",
        "2,134 sessions",
    ]
