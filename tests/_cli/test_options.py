from __future__ import annotations

import click
import pytest

from nimble_stop._cli.options import deadline_option, one_of


def parse(*words: str) -> object:
    """Read two options, one of them repeatable."""

    @click.command
    @click.option("--one", **one_of(["READY", "STOPPED"]))
    @click.option("--many", multiple=True, **one_of(["READY", "STOPPED"]))
    def command(**options: object) -> object:
        return options

    return command.main(list(words), standalone_mode=False)


def test_a_word_is_taken_in_any_case() -> None:
    """What comes out is the API's own spelling; nothing given is nothing."""
    assert parse("--one", "ready") == {"one": "READY", "many": ()}
    assert parse("--many", "Stopped", "--many", "READY") == {
        "one": None,
        "many": ("STOPPED", "READY"),
    }


@pytest.mark.parametrize("option", ["--one", "--many"])
def test_another_word_is_a_usage_error(option: str) -> None:
    """The message shows the words that there are, as they are spelled."""
    with pytest.raises(click.BadParameter, match="'REDY' is none of READY, STOPPED"):
        parse(option, "REDY")


@pytest.mark.parametrize(
    ("words", "seconds"), [([], 900.0), (["--deadline", "0.5"], 0.5), (["--deadline", "0"], None)]
)
def test_a_deadline_leaves_time(words: list[str], seconds: float | None) -> None:
    """It is a number of seconds above zero."""

    @click.command
    @deadline_option("How long.", 900.0)
    def command(deadline: float) -> float:
        return deadline

    if seconds is None:
        with pytest.raises(click.BadParameter, match="x>0"):
            command.main(words, standalone_mode=False)
    else:
        assert command.main(words, standalone_mode=False) == seconds


def test_a_shell_completes_the_words_in_any_case() -> None:
    """What was typed so far is completed to the words' own spelling."""
    complete = one_of(["STOPPED", "STOP_FAILED", "READY"])["shell_complete"]
    assert complete(None, None, "stop_") == ["STOP_FAILED"]
    assert len(complete(None, None, "")) == 3
