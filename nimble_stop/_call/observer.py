"""The hook for telemetry: what may watch calls, and activities that consist of several calls.

A client without telemetry has no observer, and pays nothing for the hook. The one implementation is
`nimble_stop._client.telemetry.Telemetry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from nimble_stop._api.request import Request
    from nimble_stop._call.record import AttemptRecord, CallRecord
    from nimble_stop._call.steps import Steps

ResultT = TypeVar("ResultT")


class Parent(Protocol):
    """What calls are made for."""

    def current(self) -> AbstractContextManager[None]:
        """Make it the parent of the calls that this thread or task makes meanwhile."""
        ...


class Activity(Parent, Protocol):
    """A wait, or a run over many sessions. The calls that are made for it are its children."""

    def remote(self) -> Parent:
        """Give the parent of calls in another process; it can be pickled."""
        ...

    def end(self, error: BaseException | None = None) -> None:
        """End it, with the error that ended it, if one did."""
        ...


class Observer(Protocol):
    """Watches the calls of one client."""

    def call(self, request: Request[Any], record: CallRecord) -> AbstractContextManager[None]:
        """Watch one call; the record is filled when the context ends."""
        ...

    def attempt(self, attempt: AttemptRecord) -> None:
        """Take an attempt of the call that is being watched."""
        ...

    def activity(self, name: str, attributes: Mapping[str, str | int]) -> Activity:
        """Begin to watch an activity."""
        ...


def begin(
    observer: Observer | None, name: str, attributes: Mapping[str, str | int]
) -> Activity | None:
    """Begin to watch an activity, where somebody watches."""
    return None if observer is None else observer.activity(name, attributes)


def within(parent: Parent | None, steps: Steps[ResultT]) -> Steps[ResultT]:
    """Run steps in whichever thread or task drives them, as children of a parent, if any."""
    if parent is None:
        return (yield from steps)
    with parent.current():
        return (yield from steps)


def observed(
    observer: Observer | None,
    name: str,
    attributes: Mapping[str, str | int],
    steps: Steps[ResultT],
) -> Steps[ResultT]:
    """Run the steps of several calls as one activity."""
    activity = begin(observer, name, attributes)
    if activity is None:
        return (yield from steps)
    try:
        result = yield from within(activity, steps)
    except BaseException as error:
        activity.end(error)
        raise
    activity.end()
    return result
