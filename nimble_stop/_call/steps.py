"""The steps of a call, and the two loops that run them.

A call is a generator. It yields a step (`Sign`, `Send`, `Sleep`, `Notify`) and is sent the outcome,
so the same code runs under the sync and the async client, and under tests without any I/O. Whatever
fails is thrown into it. Calls that belong together, such as the polls of a wait, are generators
that yield from one another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from nimble_stop._api.request import Request
    from nimble_stop._auth.signer import WireRequest
    from nimble_stop._call.record import AttemptRecord
    from nimble_stop._call.telemetry import Activity

ResultT = TypeVar("ResultT")


class Sign(NamedTuple):
    """Sign an attempt, with headers of its own. The outcome is a `WireRequest`."""

    request: Request[Any]
    headers: Mapping[str, str]
    skew: float


class Send(NamedTuple):
    """Send a request and read the answer. The outcome is a `Response`.

    Args:
        request: The signed request.
        connect: Seconds for a new connection.
        read: Seconds from then on until the answer's last byte.
        total: Seconds for both together.
    """

    request: WireRequest
    connect: float
    read: float
    total: float


class Sleep(NamedTuple):
    """Wait some seconds. The outcome is None."""

    seconds: float


class Notify(NamedTuple):
    """Call a function of the user's with the record of an attempt. The outcome is None."""

    callback: Callable[[AttemptRecord], object]
    record: AttemptRecord


Effect = Sign | Send | Sleep | Notify
# What a generator is sent depends on what it yielded, which the type system cannot express.
Steps = Generator[Effect, Any, ResultT]


def within(parent: Activity | None, steps: Steps[ResultT]) -> Steps[ResultT]:
    """Run steps in whichever thread or task drives them, as children of a span, if any."""
    with parent.current() if parent else nullcontext():
        return (yield from steps)


def _bare(error: BaseException) -> BaseException:
    """Strip an error of what holds the signed request: frames, and the library's own error."""
    error.__context__ = None
    return error.with_traceback(None)


def drive(steps: Steps[ResultT], perform: Callable[[Effect], object]) -> ResultT:
    try:
        effect = next(steps)
        while True:
            try:
                outcome = perform(effect)
            except BaseException as error:  # noqa: BLE001 - the call decides what it means
                effect = steps.throw(_bare(error))
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        result: ResultT = stop.value
        return result


async def adrive(steps: Steps[ResultT], perform: Callable[[Effect], Awaitable[object]]) -> ResultT:
    try:
        effect = next(steps)
        while True:
            try:
                outcome = await perform(effect)
            except BaseException as error:  # noqa: BLE001 - the call decides what it means
                effect = steps.throw(_bare(error))
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        result: ResultT = stop.value
        return result
