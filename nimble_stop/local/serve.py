"""``nimble-stop serve``: the endpoint in the foreground, for clients in other processes.

This module owns what the command prints: on standard output the lines that lead a shell's AWS
clients here, and nothing else; on standard error a line a request.
"""

from __future__ import annotations

import queue
import shlex
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import defaults
from nimble_stop.local.api.signature import AccessKey
from nimble_stop.local.endpoint import LocalNimble
from nimble_stop.local.faults.fault_file import load_faults

if TYPE_CHECKING:
    from collections.abc import Generator
    from os import PathLike

    from nimble_stop.local.request_record import RequestRecord

__all__ = ["serve"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def serve(
    *,
    host: str = defaults.HOST,
    port: int = defaults.PORT,
    db: str = defaults.DB,
    transition_seconds: float = defaults.TRANSITION_SECONDS,
    access_key_id: str = defaults.ACCESS_KEY.access_key_id,
    secret_access_key: str = defaults.ACCESS_KEY.secret_access_key,
    region_name: str = defaults.REGION_NAME,
    faults: str | PathLike[str] | None = None,
    sample: bool = False,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; call it in the main thread.

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        db: The SQLite file that keeps everything; ``":memory:"`` keeps nothing.
        transition_seconds: How long a transition takes, in seconds (fractions too).
        access_key_id: The key that is accepted.
        secret_access_key: Its secret part.
        region_name: The region that signatures must be made for.
        faults: A file of faults, as `load_faults` reads it.
        sample: Whether to add the sample studio when there are no sessions.
        stdout: Where the environment is printed; standard output if None.
        stderr: Where the requests are printed; standard error if None.

    Returns:
        The number of the signal that ended it.

    Raises:
        ConfigurationError: An argument, the store, the address or the faults cannot be used.
    """
    output, log = stdout or sys.stdout, stderr or sys.stderr
    rules = [] if faults is None else load_faults(faults)
    try:
        local = LocalNimble(
            db=db,
            host=host,
            port=port,
            transition_seconds=transition_seconds,
            credentials=AccessKey(access_key_id, secret_access_key),
            region_name=region_name,
            on_request=lambda record: _print_request(log, record),
        )
    except ValueError as error:
        raise ConfigurationError(f"The endpoint cannot be set up: {error}.") from error
    local.inject_rules(rules)
    with _until_signal() as signals:
        try:
            local.bind()
            if sample and not local.sessions:
                local.add_sample_studio()
            for name, value in local.environment.items():
                print(f"export {name}={shlex.quote(value)}", file=output)
            output.flush()
            local.start()
            print(f"Serving on {local.endpoint_url}; stop with Ctrl-C.", file=log, flush=True)
            return signals.get()
        finally:
            local.close()


def _print_request(log: TextIO, record: RequestRecord) -> None:
    seconds = f"{record.seconds * 1000:.1f} ms"
    print(f"{record.time:%H:%M:%S} {record} ({seconds})", file=log, flush=True)


@contextmanager
def _until_signal() -> Generator[queue.SimpleQueue[int]]:
    """Collect the signals that end us, instead of dying of them."""
    # Its put() is the one that may be called in a signal handler.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    previous = {
        number: signal.signal(number, lambda received, _: signals.put(received))
        for number in _SIGNALS
    }
    try:
        yield signals
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
