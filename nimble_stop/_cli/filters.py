"""The filters that ``list`` and ``stop --all`` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
import click

from nimble_stop._cli.parameters import one_of
from nimble_stop._cli.terminal.text import printable
from nimble_stop.models import StreamingSessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nimble_stop import NimbleClient
    from nimble_stop.models import StreamingSession

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def _read_tags(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Split ``KEY=VALUE``."""
    tags: list[tuple[str, str]] = []
    for value in values:
        key, equals, text = value.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{value!r} is not of the form KEY=VALUE.", context, parameter)
        tags.append((key, text))
    return tuple(tags)


def filter_options(function: _Function) -> _Function:
    """Give a command the filters."""
    for option in (
        click.option(
            "--tag",
            "tags",
            metavar="KEY=VALUE",
            multiple=True,
            callback=_read_tags,
            help="Only sessions with this tag; given several times, with all of them.",
        ),
        click.option("--created-by", metavar="USER", help="Only sessions that this user created."),
        click.option("--owned-by", metavar="USER", help="Only sessions that this user owns."),
        click.option(
            "--state",
            "states",
            **one_of(StreamingSessionState),
            metavar="STATE",
            multiple=True,
            help="Only sessions in this state, such as READY; may be given several times.",
        ),
    ):
        function = option(function)
    return function


@attrs.frozen(kw_only=True)
class Filters:
    """What sessions must be like.

    Args:
        states: One of these states; none allows all.
        owned_by: Their owner.
        created_by: Who created them.
        tags: All of these tags.
    """

    states: tuple[str, ...] = ()
    owned_by: str | None = None
    created_by: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> Filters:
        """Take the values of `filter_options`."""
        return cls(**cast("dict[str, Any]", options))

    def sessions(self, client: NimbleClient, studio_id: str) -> Iterator[StreamingSession]:
        """Read the studio's sessions that fit."""
        for session in client.list_sessions(
            studio_id, owned_by=self.owned_by, created_by=self.created_by
        ):
            if self._fits(session):
                yield session

    def _fits(self, session: StreamingSession) -> bool:
        tags = session.tags or {}
        return (not self.states or session.state in self.states) and all(
            tags.get(key) == value for key, value in self.tags
        )

    def __str__(self) -> str:
        """Describe the filters, to be put behind what they filter."""
        parts = [
            f" in {' or '.join(self.states)}" if self.states else "",
            f" owned by {self.owned_by}" if self.owned_by is not None else "",
            f" created by {self.created_by}" if self.created_by is not None else "",
            *(f" with {key}={value}" for key, value in self.tags),
        ]
        return printable("".join(parts))
