from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from nimble_stop.local.storage import busy
from nimble_stop.local.storage.busy import StoreBusyError, retry_while_busy, wait_while_busy

if TYPE_CHECKING:
    from collections.abc import Callable


def busy_for(times: int) -> Callable[[], str]:
    """Make work that finds the store busy some times."""
    left = iter(range(times))

    def work() -> str:
        if next(left, None) is not None:
            raise StoreBusyError
        return "done"

    return work


def test_a_thread_waits_until_the_store_is_free() -> None:
    """Work is tried again until it is done."""
    assert wait_while_busy(busy_for(3)) == "done"


def test_an_event_loop_goes_on_while_the_store_is_busy() -> None:
    """Other tasks run between two attempts."""

    async def run() -> list[str]:
        order: list[str] = []

        async def wait() -> None:
            order.append(await retry_while_busy(busy_for(3)))

        async def other() -> None:
            order.append("other")

        await asyncio.gather(wait(), other())
        return order

    assert asyncio.run(run()) == ["other", "done"]


def retry_in_a_loop(work: Callable[[], str]) -> str:
    """Run work as an event loop does."""
    return asyncio.run(retry_while_busy(work))


@pytest.mark.parametrize("run", [wait_while_busy, retry_in_a_loop])
def test_the_wait_ends(
    run: Callable[[Callable[[], str]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that stays busy is an error that says so."""
    monkeypatch.setattr(busy, "BUSY_SECONDS", 0.01)
    with pytest.raises(StoreBusyError, match="in use"):
        run(busy_for(1_000_000))
