"""Options that several commands have: the filters of sessions, and one deadline for the command."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from nimble_stop._call.deadline import Deadline
from nimble_stop._cli.terminal.text import printable
from nimble_stop._config.options import DEADLINE_SECONDS
from nimble_stop.models import StreamingSessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nimble_stop import NimbleClient
    from nimble_stop.models import StreamingSession

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class Words(click.Choice[str]):
    """One of these words, which are in capitals; they are taken in any case."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__([str(word) for word in words], case_sensitive=False)

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        del ctx
        return str(choice).upper()

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        del ctx
        return f"{value!r} is none of {', '.join(self.choices)}."


def deadline_option(meaning: str, default: float | None = None) -> Callable[[_Function], _Function]:
    """Give a command the option ``--deadline``: a `Deadline` that runs from now, or None."""
    return click.option(
        "--deadline",
        type=click.FloatRange(min=0, min_open=True),
        default=default,
        metavar="SECONDS",
        callback=_begin_deadline,
        help=meaning,
    )


def _begin_deadline(_: click.Context, __: click.Parameter, given: float | None) -> Deadline | None:
    if given is not None and not math.isfinite(given):
        raise click.BadParameter(f"{given} is no number of seconds.")
    return None if given is None else Deadline(given, time.monotonic)


requests_deadline_option = deadline_option(
    f"How long the requests may take in all.  [default: {DEADLINE_SECONDS:.0f}]"
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Write only what failed, and why; JSON is written whole."
)


def _read_tag(given: str) -> tuple[str, str]:
    key, equals, value = given.partition("=")
    if not (key and equals):
        raise click.BadParameter(f"{given!r} is not of the form KEY=VALUE.")
    return key, value


def filter_options(function: _Function) -> _Function:
    """Give a command an option for each of the `Filters`."""
    for option in (
        click.option(
            "--tag",
            "tags",
            metavar="KEY=VALUE",
            multiple=True,
            type=_read_tag,
            help="Only sessions with this tag; given several times, with all of them.",
        ),
        click.option("--created-by", metavar="USER", help="Only sessions that this user created."),
        click.option("--owned-by", metavar="USER", help="Only sessions that this user owns."),
        click.option(
            "--state",
            "states",
            type=Words(StreamingSessionState),
            metavar="STATE",
            multiple=True,
            help="Only sessions in this state, such as READY; may be given several times.",
        ),
    ):
        function = option(function)
    return function


@attrs.frozen(kw_only=True)
class Filters:
    """What sessions must be like: in one of the states if there are any, with all of the tags."""

    states: tuple[str, ...] = ()
    owned_by: str | None = None
    created_by: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def list_sessions(self, client: NimbleClient, studio_id: str) -> Iterable[StreamingSession]:
        """Read the sessions of the right persons; the service knows no other filters."""
        return client.list_sessions(studio_id, owned_by=self.owned_by, created_by=self.created_by)

    def fit(self, session: StreamingSession) -> bool:
        tags = session.tags or {}
        return (not self.states or session.state in self.states) and all(
            tags.get(key) == value for key, value in self.tags
        )

    def __str__(self) -> str:
        parts = [
            f" in {' or '.join(self.states)}" if self.states else "",
            f" owned by {self.owned_by}" if self.owned_by is not None else "",
            f" created by {self.created_by}" if self.created_by is not None else "",
            *(f" with {key}={value}" for key, value in self.tags),
        ]
        return printable("".join(parts))
