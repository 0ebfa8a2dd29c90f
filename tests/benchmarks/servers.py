"""A server for ``python -m tests.benchmarks.endpoint``, in a process of its own.

    python servers.py SIDE SESSIONS     prints its URL, and serves until it is terminated
    python servers.py SIDE              prints the milliseconds from its start to its first answer

The servers are imported when they are used, because not every environment has all of them.
"""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def nimble_stop(sessions: int) -> Generator[str]:
    """Run the embedded endpoint, with sessions s0, s1, ... that are ready."""
    from nimble_stop.local import LocalNimble

    with LocalNimble() as local:
        if sessions:
            ids = [{"studioId": "studio-1", "sessionId": f"s{n}"} for n in range(sessions)]
            local.import_({"sessions": ids})
        yield local.endpoint_url + ("" if sessions else "/_nimble-stop/health")


@contextmanager
def moto(sessions: int) -> Generator[str]:
    """Run moto's server, with nothing in it."""
    del sessions
    server: Any = import_module("moto.server").ThreadedMotoServer(
        "127.0.0.1", port=0, verbose=False
    )
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@contextmanager
def pytest_httpserver(sessions: int) -> Generator[str]:
    """Run pytest-httpserver, with one fixed answer."""
    del sessions
    server: Any = import_module("pytest_httpserver").HTTPServer()
    with server:
        server.expect_request("/").respond_with_json({"session": {"sessionId": "s1"}})
        yield server.url_for("/").rstrip("/")


SIDES = {"nimble_stop": nimble_stop, "moto": moto, "pytest-httpserver": pytest_httpserver}


def main() -> None:
    """Serve, or measure a start."""
    side = SIDES[sys.argv[1]]
    if len(sys.argv) > 2:
        with side(int(sys.argv[2])) as url:
            print(url, flush=True)  # noqa: T201 - whoever started it reads this
            signal.pause()
    opener = build_opener(ProxyHandler({}))
    seconds = 0.0
    # The first start of a process imports, and is not what a test pays.
    for _ in range(2):
        started = time.perf_counter()
        with side(0) as url, opener.open(url):
            seconds = time.perf_counter() - started
    print(seconds * 1e3)  # noqa: T201 - likewise


if __name__ == "__main__":
    main()
