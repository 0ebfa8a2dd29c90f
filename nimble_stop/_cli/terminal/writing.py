"""Writing: results to standard output, everything else to standard error.

What came from the service or the user never reaches a terminal raw. A character that is not
printable is escaped, so that an id can neither move the cursor nor hide.

A reader that went away (``nimble-stop list ... | head``) is no error: `write` says so by
`BrokenPipeError`, once and quietly. Notes that cannot be written are dropped.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from rich.console import Console, RenderableType

_Value = TypeVar("_Value")

# ``schema.json`` beside this module is the contract. A change that breaks a reader raises this.
SCHEMA_VERSION: Final = 1


class Output(StrEnum):
    """What standard output is written for."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def printable(text: str) -> str:
    """Escape what a terminal would act on or not show."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def one_line(text: str) -> str:
    """Put a text that may have line breaks on one line."""
    return printable(" ".join(text.split()))


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def write(text: str, stream: TextIO | None = None, *, end: bool = True) -> None:
    """Write results to standard output if no other stream is given, as a rule whole lines."""
    target: TextIO = stream or sys.stdout
    try:
        click.echo(text, target, nl=end)
    except OSError:
        # Let the interpreter's last flush of a stream of the process succeed. Any other stream
        # belongs to the program that put it in place, and so does its descriptor.
        if target in (sys.__stdout__, sys.__stderr__):
            with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), target.fileno())
        raise


def note(text: str) -> None:
    """Write a sentence for the person at the terminal, or a line for the log."""
    note_lines(folded(text))


def note_lines(text: str) -> None:
    with suppress(OSError):
        write(text, sys.stderr)


def folded(text: str) -> str:
    """Break a text for the terminal that shows it, between words only; elsewhere leave it."""
    if not is_terminal(sys.stderr):
        return text
    return textwrap.fill(
        text, console(sys.stderr).width, break_long_words=False, break_on_hyphens=False
    )


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def console(stream: TextIO) -> Console:
    """Make a console that writes what it is given: no markup, no guesses about colours."""
    from rich.console import Console

    return Console(file=stream, markup=False, highlight=False, emoji=False)


def write_rich(renderable: RenderableType, stream: TextIO | None = None) -> None:
    terminal = console(stream or sys.stdout)
    with terminal.capture() as capture:
        terminal.print(renderable)
    write(capture.get().rstrip("\n"), stream)


def write_rows(
    rows: Mapping[str, str | None],
    *,
    styles: Mapping[str, str] | None = None,
    stream: TextIO | None = None,
) -> None:
    """Write labels and values, if there is one: wrapped in a terminal, else a line each."""
    shown = {label: printable(value) for label, value in rows.items() if value}
    target: TextIO = stream or sys.stdout
    if not is_terminal(target):
        width = max(map(len, shown))
        write("\n".join(f"{label:<{width}}  {value}" for label, value in shown.items()), target)
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in shown.items():
        grid.add_row(Text(label, "dim"), Text(value, (styles or {}).get(label, "")))
    write_rich(grid, target)


def to_json(document: Mapping[str, Any], *, indent: int | None = None) -> str:
    return json.dumps({"schemaVersion": SCHEMA_VERSION, **document}, indent=indent)


def write_json(document: Mapping[str, Any], output: Output) -> None:
    """Write one JSON object: on one line for jsonl, to be read by people too for json."""
    write(to_json(document, indent=2 if output is Output.JSON else None))


@contextmanager
def values_writer(
    output: Output,
    line_of: Callable[[_Value], str],
    document_of: Callable[[_Value], Mapping[str, Any]],
) -> Generator[Callable[[_Value], None]]:
    """Write values as they come: a line of text or of JSON each, or one array of JSON objects.

    The array is closed whatever happens.
    """
    if output is Output.TABLE:
        yield lambda value: write(line_of(value))
        return
    if output is Output.JSONL:
        yield lambda value: write(to_json(document_of(value)))
        return
    before, after = "[\n", "[]"

    def write_element(value: _Value) -> None:
        nonlocal before, after
        write(f"{before}{to_json(document_of(value))}", end=False)
        before, after = ",\n", "\n]"

    try:
        yield write_element
    except BrokenPipeError:
        raise
    except BaseException:
        write(after)
        raise
    write(after)
