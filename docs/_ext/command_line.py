"""The command line's reference, made of the click commands when the documentation is built."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING

import click
from sphinx.util.docutils import SphinxDirective
from tables import table

from nimble_stop._cli.app import program
from nimble_stop._cli.failures import PROGRAM, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def reference() -> str:
    """Write a section for each command, and one for the options that all have."""
    context = click.Context(program, info_name=PROGRAM)
    shared = [parameter.name for parameter in program.get_params(context)]
    parts: list[str] = []
    for command in program.commands.values():
        parts.extend(_command(command, context, shared))
    parts.append("## Options of every command\n")
    parts.append("They may stand before the command's name or behind it.\n")
    parts.append(_options(program, context, ()))
    codes = [(f"`{code:d}`", code.meaning) for code in ExitCode]
    parts += ["## Exit codes\n", table(("Code", "Meaning"), codes)]
    return "\n".join(parts)


def _command(
    command: click.Command, parent: click.Context, shared: Sequence[str | None]
) -> Iterator[str]:
    context = click.Context(command, info_name=command.name, parent=parent)
    yield f"## {command.name}\n"
    yield _text_block([f"{PROGRAM} {command.name} {_usage(command, context)}"])
    yield f"{_markdown(command.help or '')}\n"
    options = _options(command, context, shared)
    if options:
        yield options
    if command.epilog:
        yield _text_block(line.strip() for line in command.epilog.splitlines()[2:])


def _usage(command: click.Command, context: click.Context) -> str:
    return " ".join(command.collect_usage_pieces(context))


def _options(command: click.Command, context: click.Context, left_out: Sequence[str | None]) -> str:
    rows: list[tuple[str, str]] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record and parameter.name not in left_out:
            rows.append((f"`{record[0]}`", _markdown(_folded(record[1]))))
    return table(("Option", "Meaning"), rows) if rows else ""


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _markdown(text: str) -> str:
    """Mark up what click's help has as plain text: options, states, placeholders."""
    plain = re.sub(r"[<*]", lambda match: f"\\{match[0]}", cleandoc(text))
    return re.sub(r"(?<![\w`-])(--[a-z-]+|~/\.\w+)", r"`\1`", plain)


def _text_block(lines: Iterable[str]) -> str:
    return "\n".join(["```text", *lines, "```", ""])


class CommandLine(SphinxDirective):
    """The whole reference."""

    def run(self) -> list[nodes.Node]:
        """Put the reference in the directive's place."""
        return self.parse_text_to_nodes(reference(), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make the directive known."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
