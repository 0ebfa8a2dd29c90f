"""What runs in the workers of an executor; importable, because it is pickled by name."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from nimble_stop import StopResult
    from nimble_stop._flows.executors import Batch


def die_once(mark: str, batch: Batch) -> list[StopResult]:
    """Stop some sessions of a batch and kill this process; the next time, stop all of them."""
    from nimble_stop._flows.executors import stop_batch

    try:
        # Only one process can make the file.
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return stop_batch(batch)
    stop_batch(attrs.evolve(batch, session_ids=batch.session_ids[:7]))
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")


def die(*_: object) -> list[StopResult]:
    """Kill this process, whatever the batch is."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")
