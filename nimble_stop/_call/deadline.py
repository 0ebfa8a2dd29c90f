"""The time by which a call must be over, whatever it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """A point in time by which everything must be over, so many seconds away.

    ``within`` is a deadline that holds too, such as that of a whole command.
    """

    def __init__(
        self, seconds: float, monotonic: Callable[[], float], *, within: Deadline | None = None
    ) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._within = within
        self._paused_at = monotonic()
        self._end = self._paused_at + seconds

    def __str__(self) -> str:
        if self._within is not None and self._within.remaining < self._own_remaining:
            return str(self._within)
        return f"The deadline of {self.seconds:g} s"

    @property
    def remaining(self) -> float:
        """How many seconds are left; less than nothing when it has passed."""
        if self._within is None:
            return self._own_remaining
        return min(self._own_remaining, self._within.remaining)

    def pause(self) -> None:
        """Let the time until `resume` not count."""
        self._paused_at = self._monotonic()

    def resume(self) -> None:
        self._end += self._monotonic() - self._paused_at

    @property
    def _own_remaining(self) -> float:
        return self._end - self._monotonic()
