"""Measure the embedded endpoint beside other servers: ``python -m tests.benchmarks.endpoint``.

Makes an environment of its own with this package, moto's server and pytest-httpserver. Each server
runs in a process of its own, and the sides take turns. One client asks over one connection, with
requests that were signed before the time is taken.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

_SERVERS = Path(__file__).parent / "servers.py"
_ROOT = _SERVERS.parent.parent.parent
_SESSIONS = "/2020-08-01/studios/studio-1/streaming-sessions"
_CREDENTIALS = Credentials("LOCALNIMBLE", "local-nimble-secret-access-key")
_SECONDS = 1.0
_FEW, _MANY = 100, 100_000


class Ask(NamedTuple):
    """A request as it is sent."""

    method: str
    path: str
    body: bytes | None
    headers: dict[str, str]


# moto takes any signature, but reads the service from it.
_DESCRIBE = Ask(
    "POST",
    "/",
    b"Action=DescribeInstances&Version=2016-11-15",
    {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20200801/us-east-1/ec2/aws4_request, "
            "SignedHeaders=host, Signature=0"
        ),
    },
)


_FIXED = Ask("GET", "/", None, {})


class Server:
    """A server that runs, and the one connection to it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = HTTPConnection(urlsplit(url).netloc)

    def signed(self, method: str, path: str) -> Ask:
        """Sign a request for the embedded endpoint."""
        body = b"{}" if method == "POST" else None
        headers = {"Content-Type": "application/json"} if body else {}
        request = AWSRequest(method, self._url + path, headers, body)
        SigV4Auth(_CREDENTIALS, "nimble", "us-west-2").add_auth(request)
        return Ask(method, path, body, dict(request.headers))

    def stops(self, count: int) -> list[Ask]:
        """Sign stops of sessions that have not been stopped."""
        return [self.signed("POST", f"{_SESSIONS}/s{number}/stop") for number in range(count)]

    def microseconds(self, asks: Iterable[Ask]) -> float:
        """Measure what a request takes, for a second at most."""
        count, started = 0, time.perf_counter()
        for ask in asks:
            self._connection.request(*ask)
            answer = self._connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{ask.path}: {answer.status} {content[:200]!r}")
            count += 1
            if time.perf_counter() - started > _SECONDS:
                break
        return (time.perf_counter() - started) / count * 1e6


class Bench:
    """Runs the servers in an environment that it makes."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self._folder, self._rounds = folder, rounds
        self._python = folder / "venv" / "bin" / "python"
        venv.create(folder / "venv", with_pip=True)
        packages = [f"{_ROOT}[local]", "moto[server]", "pytest-httpserver"]
        subprocess.run([self._python, "-m", "pip", "-q", "install", *packages], check=True)

    @contextmanager
    def server(self, side: str, sessions: int = 0) -> Generator[Server]:
        """Have a server run; the embedded endpoint with so many sessions."""
        command = [str(self._python), str(_SERVERS), side, str(sessions)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                yield Server(process.stdout.readline().strip() if process.stdout else "")
            finally:
                process.terminate()

    def requests(self) -> None:
        """Compare what a request to each server takes."""
        with ExitStack() as stack:
            ours = stack.enter_context(self.server("nimble_stop", 50_000))
            moto = stack.enter_context(self.server("moto"))
            fixed = stack.enter_context(self.server("pytest-httpserver"))
            stops = iter(ours.stops(50_000))
            get = ours.signed("GET", f"{_SESSIONS}/s1")
            self._table(
                "a request, in µs",
                {
                    "nimble_stop: GetStreamingSession": lambda: _often(ours, get),
                    "nimble_stop: StopStreamingSession": lambda: ours.microseconds(stops),
                    "moto: EC2 DescribeInstances, none there": lambda: _often(moto, _DESCRIBE),
                    "pytest-httpserver: a fixed answer": lambda: _often(fixed, _FIXED),
                },
            )

    def starts(self) -> None:
        """Compare the time from the start of a server to its first answer."""

        def start(side: str) -> float:
            command = [str(self._python), str(_SERVERS), side]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            return float(done.stdout)

        sides = {
            side: partial(start, side) for side in ("nimble_stop", "moto", "pytest-httpserver")
        }
        self._table("start to first answer, in ms", sides)

    def growth(self) -> None:
        """Compare few sessions in one store with many."""

        def stops(sessions: int) -> float:
            with self.server("nimble_stop", sessions) as server:
                _often(server, server.signed("GET", f"{_SESSIONS}/s1"))
                return server.microseconds(server.stops(_FEW))

        def pages(sessions: int) -> float:
            with self.server("nimble_stop", sessions) as server:
                return _often(server, server.signed("GET", _SESSIONS))

        for what, measure in (("a stop", stops), ("a page of a list", pages)):
            sides = {f"{count:,} sessions": partial(measure, count) for count in (_FEW, _MANY)}
            self._table(f"{what}, in µs", sides)

    def _table(self, what: str, sides: Mapping[str, Callable[[], float]]) -> None:
        rounds = [{side: measure() for side, measure in sides.items()} for _ in range(self._rounds)]
        first = next(iter(sides))
        sys.stdout.write(f"\n| {what} | | of the first |\n|---|---|---|\n")
        for side in sides:
            figure = statistics.median(each[side] for each in rounds)
            ratio = statistics.median(each[side] / each[first] for each in rounds)
            sys.stdout.write(f"| {side} | {figure:,.1f} | {ratio:.2f} |\n")


def _often(server: Server, ask: Ask) -> float:
    return server.microseconds(itertools.repeat(ask))


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.endpoint", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side for a figure")
    options = parser.parse_args()
    sys.stdout.write(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} cores, medians of {options.rounds} rounds\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.rounds)
        bench.requests()
        bench.starts()
        bench.growth()


if __name__ == "__main__":
    main()
