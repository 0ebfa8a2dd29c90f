"""``nimble-stop completion``: the script that makes a shell complete the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from nimble_stop._cli.command import command
from nimble_stop._cli.failures import PROGRAM
from nimble_stop._cli.terminal.writing import write

if TYPE_CHECKING:
    from nimble_stop._cli.command import GlobalOptions

_SHELLS: Final = {kind.name: kind for kind in (BashComplete, ZshComplete, FishComplete)}


@command(
    "completion",
    examples=(
        'eval "$(nimble-stop completion bash)"',
        'eval "$(nimble-stop completion zsh)"',
        "nimble-stop completion fish > ~/.config/fish/completions/nimble-stop.fish",
    ),
)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shared: GlobalOptions, shell: str) -> int:
    """Print the completion script for a shell.

    For bash and zsh the first or second line goes into ~/.bashrc or ~/.zshrc.
    """
    del shared
    program = click.get_current_context().find_root().command
    variable = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
    script = _SHELLS[shell](program, {}, PROGRAM, variable)
    # Not source(), which runs bash to learn its version.
    write(script.source_template % script.source_vars())
    return 0
