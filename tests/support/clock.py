"""Time that passes when a test says so."""

from __future__ import annotations

import itertools

import attrs

from nimble_stop import Runtime

START = 1_795_395_723.0
"""2026-11-23T01:02:03Z, which is when every `ManualClock` begins."""


@attrs.define
class ManualClock:
    """Both clocks of a client, its sleep, its randomness and its ids, without any waiting.

    Args:
        epoch: Seconds since 1970.
        monotonic: Seconds on the clock that never goes back.
        random_number: What every random number is.
        slept: Every sleep so far, in seconds.
    """

    epoch: float = START
    monotonic: float = 1000.0
    random_number: float = 0.5
    slept: list[float] = attrs.field(factory=list[float])
    _ids: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1))

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.epoch += seconds
        self.monotonic += seconds

    def sleep(self, seconds: float) -> None:
        """Note a sleep, and let its time pass at once."""
        self.slept.append(seconds)
        self.advance(seconds)

    @property
    def runtime(self) -> Runtime:
        """What a client takes these from."""
        return Runtime(
            monotonic=lambda: self.monotonic,
            now=lambda: self.epoch,
            sleep=self.sleep,
            random=lambda: self.random_number,
            new_id=lambda: f"id-{next(self._ids)}",
        )
