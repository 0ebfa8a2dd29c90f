"""Running what the documentation shows: every example of a page, against the embedded endpoint.

A page's ``python`` blocks are one program, and its ``console`` and ``sh`` blocks are one shell. A
file that the page shows by ``literalinclude`` is run in that shell as well. What follows an example
as an ``output`` block is what it must print, ``...`` standing for anything; a ``python`` block
without one must print nothing. Blocks of any other language are not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from doctest import ELLIPSIS, OutputChecker
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from nimble_stop.local import LocalNimble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = tuple(sorted((ROOT / "docs").rglob("*.md")))
README: Final = ROOT / "README.md"

_FENCE: Final = re.compile(r"(`{3,}|~{3,})\s*(\S*)\s*(.*)")
_MARK: Final = "@@ line"
_SECONDS: Final = 60


@attrs.frozen(kw_only=True)
class Block:
    """A fenced block of a page.

    Args:
        page: The page.
        line: The line of its opening fence, from 1.
        language: What stands behind the fence, such as ``python``, ``console`` or ``{note}``.
        argument: What stands behind the language.
        code: The lines inside.
        output: The text of the ``output`` block that follows it, or None.
    """

    page: Path
    line: int
    language: str
    argument: str
    code: str
    output: str | None = None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Read the fenced blocks of a page, each with the output that it is said to have."""
    blocks: list[Block] = []
    between = ""
    for block, before in _raw_blocks(page):
        between += before
        if block.language == "output" and blocks and not between.strip():
            blocks[-1] = attrs.evolve(blocks[-1], output=block.code)
        else:
            blocks.append(block)
        between = ""
    return blocks


def _raw_blocks(page: Path) -> Iterator[tuple[Block, str]]:
    lines = page.read_text(encoding="utf-8").splitlines()
    before = ""
    number = 0
    while number < len(lines):
        match = _FENCE.fullmatch(lines[number])
        if match is None:
            before += lines[number]
            number += 1
            continue
        fence, language, argument = match.groups()
        end = lines.index(fence, number + 1)
        code = "".join(f"{line}\n" for line in lines[number + 1 : end])
        yield (
            Block(page=page, line=number + 1, language=language, argument=argument, code=code),
            before,
        )
        before = ""
        number = end + 1


def run_python(blocks: Sequence[Block], directory: Path) -> None:
    """Run ``python`` blocks as one program whose lines are numbered as the page's are."""
    lines: list[str] = []
    for block in blocks:
        lines += [""] * (block.line - 1 - len(lines))
        lines += [f"print({_mark(block)!r})", *block.code.splitlines()]
    script = directory / f"{blocks[0].page.stem}.md.py"
    script.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    text, status = _run([sys.executable, "-u", "-W", "error", str(script)], directory)
    printed = dict(_split(text))
    assert status == 0, f"{blocks[0].page} exits with {status}:\n{text}"
    for block in blocks:
        _compare(block, block.output or "", printed[_mark(block)])


def run_shell(blocks: Sequence[Block], directory: Path) -> None:
    """Run ``console`` and ``sh`` blocks, and files that are shown, as one shell."""
    commands = [command for block in blocks for command in _commands(block)]
    script = "".join(
        f"printf '%s %s\\n' {_quote(_MARK)} {number}; (exit ${{status:-0}})\n"
        f"{command}\nstatus=$?; printf '%s %s\\n' '@@ status' $status\n"
        for number, (_, command, _) in enumerate(commands)
    )
    text, _ = _run(["bash", "-c", script], directory)
    printed = dict(_split(text))
    for number, (block, command, expected) in enumerate(commands):
        got, _, status = printed.get(f"{_MARK} {number}", "").partition("@@ status ")
        # A failure is meant where the next line asks for it.
        shown = number + 1 < len(commands) and commands[number + 1][1] == "echo $?"
        assert status.strip() == "0" or shown, f"{block}: {command!r} failed:\n{text}"
        if expected is not None:
            _compare(block, expected, got)


def _commands(block: Block) -> Iterator[tuple[Block, str, str | None]]:
    """Take a block apart: each command and what it must print, or None for anything."""
    if block.language == "{literalinclude}":
        path = (block.page.parent / block.argument).resolve()
        program = f"{sys.executable} -W error" if path.suffix == ".py" else "bash"
        yield block, f"{program} {path}", block.output
    elif block.language == "sh":
        yield block, block.code.rstrip(), block.output
    else:
        for part in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
            typed = re.match(r".*(?:\n> .*)*", part)
            assert typed is not None
            yield block, typed[0].replace("\n> ", "\n"), part[typed.end() + 1 :]


def _mark(block: Block) -> str:
    return f"{_MARK} {block.line}"


def _quote(text: str) -> str:
    return f"'{text}'"


def _split(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(rf"^(?={_MARK} )", text, flags=re.MULTILINE)[1:]:
        mark, _, printed = part.partition("\n")
        yield mark, printed


def _compare(block: Block, expected: str, got: str) -> None:
    same = OutputChecker().check_output(_stripped(expected), _stripped(got), ELLIPSIS)
    assert same, f"{block} should print\n{expected}\nand printed\n{got}"


def _stripped(text: str) -> str:
    """Leave out blanks at the ends of lines; an empty line is one in Markdown, too."""
    return "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())


def _run(command: Sequence[str], directory: Path) -> tuple[str, int]:
    """Run a program as a reader would, whose endpoint holds the sample studio."""
    with LocalNimble() as local:
        local.add_sample_studio()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **local.environment,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(directory),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "TZ": "UTC",
        }
        outcome = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            text=True,
            check=False,
        )
    return outcome.stdout, outcome.returncode
