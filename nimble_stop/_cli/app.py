"""The program: its commands, and its one way in."""

from __future__ import annotations

import os
import shutil
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final, TextIO

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from nimble_stop._cli.command import Command, Group, as_written
from nimble_stop._cli.commands.serve import serve
from nimble_stop._cli.commands.sessions import list_, show, wait
from nimble_stop._cli.commands.stop import stop
from nimble_stop._cli.failures import PROGRAM, ExitCode, report
from nimble_stop._cli.terminal.writing import write
from nimble_stop._version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

# Longer lines are hard to read.
_WIDEST_HELP: Final = 80
# Better an escaped character than none of the text; an id that is no text is refused as an id.
_STREAMS: Final = (
    ("stdin", "r", "surrogateescape"),
    ("stdout", "w", "backslashreplace"),
    ("stderr", "w", "backslashreplace"),
)
_SHELLS: Final = {kind.name: kind for kind in (BashComplete, ZshComplete, FishComplete)}
_TRIALS: Final = as_written(
    "Try it without AWS",
    (
        "nimble-stop --local list demo-studio",
        "nimble-stop --local stop demo-studio artist-1 --wait",
    ),
)
_CODES: Final = as_written("Exit codes", (f"{code:<4} {code.meaning}" for code in ExitCode))


@click.group(
    cls=Group,
    epilog=f"{_TRIALS}\n\n{_CODES}",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def program() -> None:
    """Stop Amazon Nimble Studio's streaming sessions."""


@click.command(
    cls=Command,
    examples=(
        'eval "$(nimble-stop completion bash)"',
        'eval "$(nimble-stop completion zsh)"',
        "nimble-stop completion fish > ~/.config/fish/completions/nimble-stop.fish",
    ),
)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    For bash and zsh the first or second line goes into ~/.bashrc or ~/.zshrc.
    """
    variable = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
    script = _SHELLS[shell](program, {}, PROGRAM, variable)
    # Not source(), which runs bash to learn its version.
    write(script.source_template % script.source_vars())


for _command in (stop, list_, show, wait, serve, completion):
    program.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and give its exit code."""
    _prepare_streams()
    width = min(shutil.get_terminal_size().columns, _WIDEST_HELP)
    try:
        code = program.main(list(arguments), PROGRAM, standalone_mode=False, terminal_width=width)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return report(KeyboardInterrupt())
    except OSError as error:
        return report(error)
    return code or ExitCode.OK


def _prepare_streams() -> None:
    """Make the standard streams take any text, and be there."""
    for name, mode, errors in _STREAMS:
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            # It was closed before the program started, as some daemons do.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  # as long as the process lives
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=errors)
