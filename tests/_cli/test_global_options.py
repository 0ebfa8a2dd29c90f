from __future__ import annotations

from typing import Any

import click
import pytest

from nimble_stop._cli.command import Command, Group
from nimble_stop._cli.global_options import (
    GlobalOptions,
    global_options,
    read_global_options,
    spell_out_local,
    usage_error,
)
from nimble_stop._cli.terminal.writing import Output


def parse(*words: str) -> GlobalOptions:
    """Read the settings of a command line of a program with one command."""
    read: list[GlobalOptions] = []

    @click.group(cls=Group)
    @global_options
    def program() -> None:
        pass

    @program.command("inspect", cls=Command)
    @click.argument("names", nargs=-1)
    @global_options
    def inspect(names: tuple[str, ...]) -> None:
        del names
        read.append(read_global_options(click.get_current_context()))

    program.main(args=list(words), standalone_mode=False)
    return read[0]


ALL: list[tuple[list[str], dict[str, Any]]] = [
    (["--region", "us-east-1"], {"region_name": "us-east-1"}),
    (["--profile", "night"], {"profile_name": "night"}),
    (["--endpoint-url", "http://h"], {"endpoint_url": "http://h"}),
    (["--local"], {"local": ":memory:"}),
    (["--local=x.db"], {"local": "x.db"}),
    (["--output", "JSONL"], {"output": Output.JSONL}),
    (["--debug"], {"debug": True}),
]


@pytest.mark.parametrize(("words", "expected"), ALL)
def test_an_option_is_understood_before_and_after_the_command(
    words: list[str], expected: dict[str, Any]
) -> None:
    """It does not matter where an option of every command stands."""
    before, after = [*words, "inspect"], ["inspect", *words]
    assert parse(*before) == GlobalOptions(words=tuple(before), **expected)
    assert parse(*after) == GlobalOptions(words=tuple(after), **expected)


def test_the_later_of_two_wins() -> None:
    """An option behind the command's name overrides one before it."""
    assert parse("--output", "json", "inspect", "--output", "table").output is Output.TABLE


def test_local_does_not_swallow_what_follows() -> None:
    """A word behind --local is not its value, and behind -- it is no option."""
    assert spell_out_local(["--local", "stop", "--", "--local"]) == [
        "--local=:memory:",
        "stop",
        "--",
        "--local",
    ]


def test_the_endpoint_in_memory_is_in_memory() -> None:
    """Only an endpoint without a file ends with the command for good."""
    assert parse("inspect", "--local").in_memory
    assert not parse("inspect", "--local=x.db").in_memory
    assert not parse("inspect").in_memory


@pytest.mark.parametrize("other", ["--profile", "--endpoint-url"])
def test_local_excludes_other_endpoints(other: str) -> None:
    """The message names the option to leave out."""
    with pytest.raises(click.UsageError, match=f"leave {other} out"):
        parse("--local", "inspect", other, "x")


def test_local_without_a_file_behind_its_sign_is_refused() -> None:
    """An empty name would be a file that nobody finds again."""
    with pytest.raises(click.BadParameter, match="file name"):
        parse("--local=", "inspect")


def test_a_usage_error_outside_of_a_command_has_no_usage() -> None:
    """The error can be made anywhere."""
    assert usage_error("x").ctx is None
