"""The endpoint in the foreground, for clients in other processes: ``nimble-stop serve``.

This module owns how it runs until a signal, and how lines are written to somebody who may not read
them. What the lines say is the command line's.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from nimble_stop.local.endpoint import LocalNimble

# Some megabytes of lines, or some seconds of all that the endpoint can answer.
_WAITING_LINES: Final = 10_000
_CLOSE_SECONDS: Final = 1.0
_GATHER_SECONDS: Final = 0.01


def serve(local: LocalNimble, *, on_ready: Callable[[LocalNimble], None]) -> int:
    """Serve until SIGINT or SIGTERM; call it in the main thread.

    Connections that are made while `on_ready` runs are answered as soon as it returns. To serve as
    long as a child process runs, use ``with local:`` instead.

    Args:
        local: The endpoint, not yet running. Its ``on_request`` receives each request's record; it
            must not wait, so let it write with a `LineWriter`.
        on_ready: Called once, when the port is taken and the store is open:
            `LocalNimble.environment_changes` says then how to reach the endpoint.

    Returns:
        The number of the signal that ended it.

    Raises:
        ConfigurationError: The store, the seed or the address cannot be used.
        TypeError, ValueError: A value of the seed is not allowed.
    """
    # Its put() is the one that may be called in a signal handler.
    received: queue.SimpleQueue[int] = queue.SimpleQueue()
    with ExitStack() as undo:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous = signal.signal(number, lambda number, _: received.put(number))
            undo.callback(signal.signal, number, previous)
        undo.callback(local.close)
        on_ready(local.bind())
        local.start()
        return received.get()


class LineWriter:
    """Writes lines to a stream, and never waits for its reader.

    A thread writes. When the reader is slower than the lines come, as many as fit are kept, the
    next ones are dropped, and a line says how many as soon as the reader takes lines again. When
    nobody reads, neither the endpoint nor the end of the process is held up.

    Args:
        stream: Where to write: a stream of the process's own, or any other.
        dropped: The line that reports dropped lines; ``{count}`` in it stands for their number.
    """

    def __init__(
        self, stream: TextIO, *, dropped: str = "... {count} lines were not read in time ..."
    ) -> None:
        self._stream = stream
        self._descriptor: int | None = None
        # A stream that has no descriptor never waits.
        with suppress(OSError, ValueError):
            stream.flush()
            # Its own, so that writing goes around the locks of Python's buffers: a thread that
            # waits in a buffered write holds a lock on which the interpreter's exit waits.
            self._descriptor = os.dup(stream.fileno())
        self._dropped_line = dropped
        self._dropped = 0
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING_LINES)
        self._thread = threading.Thread(target=self._run, name="nimble-stop-lines", daemon=True)
        self._thread.start()

    def write_line(self, line: str) -> None:
        """Write a line, soon; it is dropped when too many are waiting."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what is waiting, for a second at most. Nothing may be written afterwards."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=_CLOSE_SECONDS)
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            # The reader may be gone, or the stream closed: there is nobody left to write for.
            with suppress(OSError, ValueError):
                lines: list[str | None] = [""]
                while lines[-1] is not None:
                    lines = [self._lines.get()]
                    # To wake up for each line would interrupt the endpoint each time.
                    time.sleep(_GATHER_SECONDS)
                    while not self._lines.empty():
                        lines.append(self._lines.get())
                    self._write("".join(f"{line}\n" for line in lines if line is not None))
                    dropped, self._dropped = self._dropped, 0
                    if dropped:
                        self._write(f"{self._dropped_line.format(count=dropped)}\n")
        finally:
            if self._descriptor is not None:
                os.close(self._descriptor)

    def _write(self, text: str) -> None:
        if self._descriptor is None:
            self._stream.write(text)
            self._stream.flush()
            return
        data = text.encode(self._stream.encoding, "backslashreplace")
        while data:
            data = data[os.write(self._descriptor, data) :]
