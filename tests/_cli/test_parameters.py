from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from nimble_stop._cli.parameters import Filters, Words, deadline_option

if TYPE_CHECKING:
    from nimble_stop._call.deadline import Deadline


def parse(*words: str) -> object:
    """Read two options, one of them repeatable."""

    @click.command
    @click.option("--one", type=Words(["READY", "STOPPED"]))
    @click.option("--many", multiple=True, type=Words(["READY", "STOPPED"]))
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
