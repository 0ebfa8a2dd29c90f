from __future__ import annotations

import click

from nimble_stop._cli.command import command
from nimble_stop._cli.output import Output
from nimble_stop._cli.settings import Settings


def test_a_function_becomes_a_command() -> None:
    """It gets the settings and its own arguments; its docstring is the help."""
    seen: list[tuple[Settings, str]] = []

    @command("look", examples=("look here",))
    @click.argument("name")
    def look(settings: Settings, name: str) -> int:
        """Look at something."""
        seen.append((settings, name))
        return 7

    assert look.name == "look"
    assert look.help == "Look at something."
    assert look.main(["x", "--output", "json"], standalone_mode=False) == 7
    assert seen == [(Settings(output=Output.JSON), "x")]


def test_an_error_becomes_an_exit_code() -> None:
    """Nothing that a command does reaches the user as a traceback."""

    @command("fail")
    def fail(settings: Settings) -> int:
        raise RuntimeError(str(settings))

    assert fail.main([], standalone_mode=False) == 255
