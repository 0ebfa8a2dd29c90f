"""Executors that behave as a test wants them to."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Odd(Executor):
    """An executor whose behaviour a test gives.

    Args:
        behave: Called with each future and its call.
    """

    def __init__(self, behave: Callable[[Future[Any], Callable[[], Any]], None]) -> None:
        self.submitted: list[tuple[Any, ...]] = []
        self._behave = behave

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - the base's own
        """Take a call."""
        self.submitted.append((fn, *args))
        future: Future[Any] = Future()
        self._behave(future, partial(fn, *args, **kwargs))
        return future


def at_once(future: Future[Any], call: Callable[[], Any]) -> None:
    """Run a call at once."""
    future.set_result(call())
