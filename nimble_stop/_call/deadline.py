"""The time by which a call must be over, whatever it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """A point in time by which everything must be over."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._paused_at = monotonic()
        self._end = self._paused_at + seconds

    def __str__(self) -> str:
        return f"The deadline of {self.seconds:g} s"

    @property
    def remaining(self) -> float:
        """How many seconds are left; less than nothing when it has passed."""
        return self._end - self._monotonic()

    def pause(self) -> None:
        """Let the time until `resume` not count."""
        self._paused_at = self._monotonic()

    def resume(self) -> None:
        """Let the time count again."""
        self._end += self._monotonic() - self._paused_at
