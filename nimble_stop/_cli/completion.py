"""``nimble-stop completion``: the script that makes a shell complete the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import ShellComplete, get_completion_class

from nimble_stop._cli.command import command
from nimble_stop._cli.failures import PROGRAM
from nimble_stop._cli.output import write

if TYPE_CHECKING:
    from nimble_stop._cli.settings import Settings

_SHELLS: Final = ("bash", "zsh", "fish")


@command(
    "completion",
    examples=(
        'eval "$(nimble-stop completion bash)"',
        'eval "$(nimble-stop completion zsh)"',
        "nimble-stop completion fish > ~/.config/fish/completions/nimble-stop.fish",
    ),
)
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(settings: Settings, shell: str) -> int:
    """Print the completion script for a shell.

    For bash and zsh the first or second line goes into ~/.bashrc or ~/.zshrc.
    """
    del settings
    kind = get_completion_class(shell) or ShellComplete
    program = click.get_current_context().find_root().command
    variable = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
    script = kind(program, {}, PROGRAM, variable)
    # Not source(), which runs bash to learn its version.
    write(script.source_template % script.source_vars())
    return 0
