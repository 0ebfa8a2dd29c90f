from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click
import pytest

from nimble_stop._cli.command import (
    Command,
    Filters,
    GlobalOptions,
    Group,
    Words,
    deadline_option,
)
from nimble_stop._cli.terminal.writing import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop._call.deadline import Deadline
    from tests._cli.support import Cli


def run(function: Callable[..., object], *words: str) -> object:
    """Run a command line of a program whose one command calls a function with the options."""

    @click.group(cls=Group)
    def program() -> None:
        pass

    @program.command(cls=Command, examples=("inspect here",))
    @click.argument("names", nargs=-1)
    @click.pass_obj
    def inspect(options: GlobalOptions, names: tuple[str, ...]) -> object:
        """Inspect something."""
        del names
        return function(options)

    assert inspect.help == "Inspect something."
    return program.main(words, standalone_mode=False)


def parse(*words: str) -> GlobalOptions:
    """Read the options of a command line."""
    read: list[GlobalOptions] = []
    assert run(read.append, *words) is None
    return read[0]


def run_failing(error: BaseException, *words: str) -> object:
    """Run a command that raises an error, and give its exit code."""

    def fail(_: GlobalOptions) -> None:
        logging.getLogger("nimble_stop").debug("logged")
        raise error

    return run(fail, "inspect", *words)


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


def test_local_without_a_file_behind_its_sign_is_refused() -> None:
    """An empty name would be a file that nobody finds again."""
    with pytest.raises(click.BadParameter, match="file name"):
        parse("--local=", "inspect")


def test_what_a_command_returns_is_its_exit_code() -> None:
    """What the program ends with is the function's to say."""

    def inspect(_: GlobalOptions) -> int:
        return 7

    assert run(inspect, "inspect", "x") == 7


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
    """Without it there is neither; given twice, a line of the log still comes once."""
    assert run_failing(RuntimeError(), "--debug", "--debug") == 255
    err = capsys.readouterr().err
    assert err.count("DEBUG logged") == 1
    assert "Traceback (most recent call last)" in err
    assert run_failing(RuntimeError()) == 255
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


def parse_words(*words: str) -> object:
    """Read two options, one of them repeatable."""

    @click.command
    @click.option("--one", type=Words(["READY", "STOPPED"], case_sensitive=False))
    @click.option("--many", multiple=True, type=Words(["READY", "STOPPED"], case_sensitive=False))
    def command(**options: object) -> object:
        return options

    return command.main(list(words), standalone_mode=False)


def test_a_word_is_taken_in_any_case() -> None:
    """What comes out is the API's own spelling; nothing given is nothing."""
    assert parse_words("--one", "ready") == {"one": "READY", "many": ()}
    assert parse_words("--many", "Stopped", "--many", "READY") == {
        "one": None,
        "many": ("STOPPED", "READY"),
    }


@pytest.mark.parametrize("option", ["--one", "--many"])
def test_another_word_is_a_usage_error(option: str) -> None:
    """The message shows the words that there are, as they are spelled."""
    with pytest.raises(click.BadParameter, match="'REDY' is not one of 'READY', 'STOPPED'"):
        parse_words(option, "REDY")


@pytest.mark.parametrize(
    ("words", "seconds"),
    [([], 900.0), (["--deadline", "0.5"], 0.5), (["--deadline", "1e10"], 1e10)],
)
def test_a_deadline_runs_from_the_parsing_on(words: list[str], seconds: float) -> None:
    """It is one point in time for the whole command."""

    @click.command
    @deadline_option("How long.", 900.0)
    def command(deadline: Deadline) -> Deadline:
        return deadline

    deadline = command.main(words, standalone_mode=False)
    assert deadline.seconds == seconds
    assert 0 < deadline.remaining <= seconds


@pytest.mark.parametrize("word", ["0", "-1", "nan", "inf", "soon"])
def test_a_deadline_leaves_time(word: str) -> None:
    """It is a finite number of seconds above zero."""

    @click.command
    @deadline_option("How long.")
    def command(deadline: Deadline) -> None:
        raise AssertionError(deadline)

    with pytest.raises(click.BadParameter):
        command.main(["--deadline", word], standalone_mode=False)


def test_filters_are_reported_in_words() -> None:
    """Every filter is named, and what a terminal would act on is escaped."""
    filters = Filters(
        states=("READY", "STOPPED"),
        owned_by="amara",
        created_by="x\x1b",
        tags=(("a", "b"), ("c", "")),
    )
    assert str(filters) == (
        " in READY or STOPPED owned by amara created by x\\x1b with a=b with c="
    )
    assert str(Filters()) == ""
