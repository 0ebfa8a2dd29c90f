"""Measure against boto3: ``python -m tests.benchmarks [--pairs N] [--svg FILE]``.

Makes an environment of its own with this package and the newest boto3, takes the API's model from
the last botocore that had it, and runs each workload in fresh processes, the two clients in turn.
What counts are the medians of the pairs' ratios: what else the machine does hits both alike.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks.plot import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_LAST_WITH_MODEL = "botocore==1.35.47"
_OURS, _THEIRS = "nimble_stop", "boto3"


class Row(NamedTuple):
    """One line of the table."""

    what: str
    unit: str
    theirs: float
    ours: float
    ratio: float
    must: float
    faster: bool

    @property
    def share(self) -> float:
        """What we take of boto3's time or memory."""
        return 1 / self.ratio if self.faster else self.ratio

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        met = self.ratio >= self.must if self.faster else self.ratio <= self.must
        return "met" if met else "MISSED"


class Bench:
    """Runs the workloads in an environment that it makes."""

    def __init__(self, folder: Path, pairs: int) -> None:
        self._pairs = pairs
        self._python = folder / "venv" / "bin" / "python"
        venv.create(folder / "venv", with_pip=True)
        self._pip("install", "boto3", f"{_ROOT}[async]")
        self._pip("download", "--no-deps", "--dest", str(folder), _LAST_WITH_MODEL)
        with zipfile.ZipFile(next(folder.glob("botocore-*.whl"))) as wheel:
            members = [
                name for name in wheel.namelist() if name.startswith("botocore/data/nimble/")
            ]
            wheel.extractall(folder, members)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example-secret",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_DATA_PATH": str(folder / "botocore" / "data"),
            "NO_PROXY": "127.0.0.1",
        }

    @contextmanager
    def answering(self) -> Generator[None]:
        """Have a process answer while the workloads run."""
        command = [str(self._python), str(_HERE / "answering.py")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            port = process.stdout.readline().strip() if process.stdout else ""
            self._environment["AWS_ENDPOINT_URL_NIMBLE"] = f"http://127.0.0.1:{port}"
            try:
                yield
            finally:
                process.terminate()

    def rows(self) -> Iterator[Row]:
        """Measure everything."""
        yield self._pair("client CPU of one sync stop", "µs", self._figure("cpu"), 0.40)
        yield self._pair(
            "fresh process to first answered call", "ms", self._wall(_FIRST_CALL), 0.55
        )
        yield self._pair("import", "ms", self._wall(_IMPORT), 0.30)
        yield self._pair("peak memory after the first call", "MiB", self._figure("memory"), 0.90)
        yield self._pair(
            "3,000 stops, 32 in flight, sync", "ms", self._figure("many"), 2.5, faster=True
        )
        yield self._pair(
            "3,000 stops, 32 in flight, async",
            "ms",
            self._figure("many"),
            4.0,
            faster=True,
            ours=f"{_OURS} async",
        )
        yield self._pair(
            "peak memory, 20,000 to 2,000 ids",
            "MiB",
            self._figure("growth"),
            1.15,
            theirs="2000",
            ours="20000",
        )

    def _pair(
        self,
        what: str,
        unit: str,
        measure: Callable[[str], float],
        must: float,
        *,
        faster: bool = False,
        theirs: str = _THEIRS,
        ours: str = _OURS,
    ) -> Row:
        for client in (theirs, ours):  # warm the file cache
            measure(client)
        pairs = [(measure(theirs), measure(ours)) for _ in range(self._pairs)]
        ratio = statistics.median(b / a for a, b in pairs)
        return Row(
            what,
            unit,
            statistics.median(a for a, _ in pairs),
            statistics.median(b for _, b in pairs),
            statistics.median(a / b for a, b in pairs) if faster else ratio,
            must,
            faster,
        )

    def _figure(self, workload: str) -> Callable[[str], float]:
        return lambda client: float(self._run(str(_HERE / "workloads.py"), workload, client))

    def _wall(self, code: dict[str, str]) -> Callable[[str], float]:
        def measure(client: str) -> float:
            started = time.perf_counter()
            self._run("-c", code[client])
            return (time.perf_counter() - started) * 1e3

        return measure

    def _run(self, *arguments: str) -> str:
        return subprocess.run(
            [str(self._python), *arguments],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def _pip(self, *arguments: str) -> None:
        subprocess.run([str(self._python), "-m", "pip", "-q", *arguments], check=True)


_IMPORT = {_THEIRS: "import boto3", _OURS: "import nimble_stop"}
_FIRST_CALL = {
    _THEIRS: (
        "import boto3\n"
        "boto3.client('nimble').stop_streaming_session(studioId='studio-1', sessionId='s')"
    ),
    _OURS: "import nimble_stop\nnimble_stop.stop_session('studio-1', 's')",
}


def main() -> None:
    """Measure, print the table, draw the plot."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="pairs of runs a figure")
    parser.add_argument("--svg", type=Path, help="draw the table as a plot into this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.pairs)
        with bench.answering():
            rows = list(bench.rows())
    sys.stdout.write(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} cores, medians of {options.pairs} pairs\n\n"
        "| what | boto3 | nimble_stop | ratio | target | |\n|---|---|---|---|---|---|\n"
    )
    for row in rows:
        target = f"≥ {row.must:g}" if row.faster else f"≤ {row.must:g}"
        sys.stdout.write(
            f"| {row.what} | {row.theirs:,.0f} {row.unit} | {row.ours:,.0f} {row.unit} "
            f"| {row.ratio:.2f} | {target} | {row.verdict} |\n"
        )
    if options.svg:
        options.svg.write_text(draw([(row.what, row.share) for row in rows]))


if __name__ == "__main__":
    main()
