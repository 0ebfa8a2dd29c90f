from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click
import pytest

from nimble_stop._cli.command import GlobalOptions, Group, command
from nimble_stop._cli.terminal.writing import Output

if TYPE_CHECKING:
    from tests._cli.support import Cli


def run_failing(error: BaseException, *words: str) -> object:
    """Run a command that raises an error, and give its exit code."""

    @command("fail", examples=())
    def fail(_: GlobalOptions) -> int:
        raise error

    return fail.main(list(words), standalone_mode=False)


def parse(*words: str) -> GlobalOptions:
    """Read the options of a command line of a program with one command."""
    read: list[GlobalOptions] = []

    @click.group(cls=Group)
    def program() -> None:
        pass

    @command("inspect", examples=())
    @click.argument("names", nargs=-1)
    def inspect(options: GlobalOptions, names: tuple[str, ...]) -> int:
        del names
        read.append(options)
        return 0

    program.add_command(inspect)
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
    assert parse("--local", "inspect", "x").local == ":memory:"
    assert parse("inspect", "--", "--local").local is None


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


def test_a_function_becomes_a_command() -> None:
    """It gets the settings and its own arguments; its docstring is the help."""
    seen: list[tuple[GlobalOptions, str]] = []

    @command("inspect", examples=("inspect here",))
    @click.argument("name")
    def inspect(settings: GlobalOptions, name: str) -> int:
        """Inspect something."""
        seen.append((settings, name))
        return 7

    assert inspect.name == "inspect"
    assert inspect.help == "Inspect something."
    assert inspect.main(["x", "--output", "json"], standalone_mode=False) == 7
    assert seen == [(GlobalOptions(output=Output.JSON, words=("x", "--output", "json")), "x")]


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (RuntimeError("two\nlines"), 255, "nimble-stop: Unexpected RuntimeError: two lines. "),
        (KeyboardInterrupt(), 130, "nimble-stop: Interrupted.\n"),
        # Whoever read our output has what they wanted.
        (BrokenPipeError(), 0, ""),
    ],
)
def test_an_error_becomes_a_sentence_and_an_exit_code(
    error: BaseException, code: int, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that a command does reaches the user as a traceback, a mistake of ours neither."""
    assert run_failing(error) == code
    _, err = capsys.readouterr()
    assert err.startswith(shown)
    assert err.count("\n") == bool(shown)


@pytest.mark.parametrize("error", [click.UsageError("x"), ModuleNotFoundError("x")])
def test_what_others_handle_passes(error: Exception) -> None:
    """Usage errors and missing packages are reported elsewhere."""
    with pytest.raises(type(error)):
        run_failing(error)


def test_debug_shows_the_log_and_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Without it there is neither."""

    @command("fail", examples=())
    def fail(_: GlobalOptions) -> int:
        logging.getLogger("nimble_stop").debug("logged")
        raise RuntimeError

    assert fail.main(["--debug"], standalone_mode=False) == 255
    err = capsys.readouterr().err
    assert "DEBUG logged" in err
    assert "Traceback (most recent call last)" in err
    assert fail.main([], standalone_mode=False) == 255
    assert "logged" not in capsys.readouterr().err


def test_help_lists_the_options_of_every_command_apart(cli: Cli) -> None:
    """A command's own options come first, its examples last."""
    own, shared, examples = (
        cli("show", "--help").out.index(part)
        for part in ("Options:", "Options of every command:", "Examples:")
    )
    assert own < shared < examples


def test_help_spells_an_optional_value_as_it_is_typed(cli: Cli) -> None:
    """A space before the sign would make it a word of its own."""
    assert "--local[=FILE]" in cli("--help").out


def test_help_fits_a_narrow_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 40 columns no text of an option is wider than the terminal."""
    monkeypatch.setenv("COLUMNS", "40")
    text = cli("list", "--help").out
    options = text[text.index("Options:") : text.index("Examples:")]
    assert all(len(line) <= 40 for line in options.splitlines())
