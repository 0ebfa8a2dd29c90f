from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from nimble_stop._call.steps import Effect, Sleep, Steps, adrive, drive

if TYPE_CHECKING:
    from collections.abc import Callable


def run_sync(steps: Steps[Any], perform: Callable[[Effect], object]) -> object:
    """Run steps as the sync client does."""
    return drive(steps, perform)


def run_async(steps: Steps[Any], perform: Callable[[Effect], object]) -> object:
    """Run steps as the async client does."""

    async def wait_for(effect: Effect) -> object:
        await asyncio.sleep(0)
        return perform(effect)

    return asyncio.run(adrive(steps, wait_for))


both = pytest.mark.parametrize("run", [run_sync, run_async])


@both
def test_outcomes_go_back(run: Callable[..., object]) -> None:
    """Each step is done in its turn, its outcome is sent back, and what is returned comes out."""

    def steps() -> Steps[list[Any]]:
        first = yield Sleep(1)
        second = yield Sleep(2)
        return [first, second]

    done: list[Effect] = []

    def perform(effect: Effect) -> object:
        done.append(effect)
        return len(done)

    assert run(steps(), perform) == [1, 2]
    assert done == [Sleep(1), Sleep(2)]


@both
@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=repr)
def test_failures_are_thrown_in(run: Callable[..., object], error: BaseException) -> None:
    """What fails is for the call to handle; it may go on."""

    def steps() -> Steps[object]:
        thrown: BaseException | None = None
        try:
            yield Sleep(1)
        except (ValueError, KeyboardInterrupt) as caught:
            thrown = caught
        yield Sleep(2)
        return thrown

    def perform(effect: Effect) -> None:
        if effect == Sleep(1):
            raise error

    assert run(steps(), perform) is error


@both
def test_failures_come_out(run: Callable[..., object]) -> None:
    """What the call does not handle comes out as it is."""

    def steps() -> Steps[None]:
        yield Sleep(1)

    def perform(_: Effect) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run(steps(), perform)


@both
def test_nothing_to_do(run: Callable[..., object]) -> None:
    """A call that asks for nothing just returns."""

    def steps() -> Steps[str]:
        return "done"
        yield

    assert run(steps(), pytest.fail) == "done"
