"""Measure against boto3 and the bare libraries: ``python -m tests.benchmarks``.

Makes an environment of its own with this package and the newest boto3, takes the API's model from
the last botocore that had it, and runs each workload in fresh processes, the sides in turn. What
counts are the medians of the ratios of runs side by side: what else the machine does hits all
alike.
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


class Row(NamedTuple):
    """One line of the table.

    Args:
        what: What was measured.
        unit: Its unit.
        boto3: The median of boto3's figures.
        bare: The median of the bare libraries' figures, or None where they have none.
        ours: The median of ours.
        of_boto3: The median of the ratios of ours to boto3's, side by side.
        of_bare: The same to the bare libraries'.
    """

    what: str
    unit: str
    boto3: float
    bare: float | None
    ours: float
    of_boto3: float
    of_bare: float | None

    def __str__(self) -> str:
        bare = "" if self.bare is None else f"{self.bare:,.0f} {self.unit}"
        of_bare = "" if self.of_bare is None else f"{self.of_bare:.2f}"
        return (
            f"| {self.what} | {self.boto3:,.0f} {self.unit} | {bare} "
            f"| {self.ours:,.0f} {self.unit} | {self.of_boto3:.2f} | {of_bare} |"
        )


class Bench:
    """Runs the workloads in an environment that it makes."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self._rounds = rounds
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
            "PYTHONPATH": str(_HERE),
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
        yield self._row("client CPU of one sync stop", "µs", self._figure("cpu"))
        yield self._row("fresh process to first answered call", "ms", self._wall(_FIRST_CALL))
        yield self._row("import", "ms", self._wall(_IMPORT), bare=None)
        yield self._row("peak memory after the first call", "MiB", self._figure("memory"))
        yield self._row("3,000 stops, 32 in flight, sync", "ms", self._figure("many"))
        yield self._row(
            "3,000 stops, 32 in flight, async",
            "ms",
            self._figure("many"),
            bare="bare async",
            ours="nimble_stop async",
        )

    def growth(self) -> tuple[float, float, float]:
        """Measure the peak memory of a run over 2,000 ids, over 20,000, and their ratio."""
        row = self._row("", "", self._figure("growth"), boto3="2000", bare=None, ours="20000")
        return row.boto3, row.ours, row.of_boto3

    def _row(
        self,
        what: str,
        unit: str,
        measure: Callable[[str], float],
        *,
        boto3: str = "boto3",
        bare: str | None = "bare",
        ours: str = "nimble_stop",
    ) -> Row:
        sides = [side for side in (boto3, bare, ours) if side is not None]
        for side in sides:  # warm the file cache
            measure(side)
        rounds = [{side: measure(side) for side in sides} for _ in range(self._rounds)]

        def median(side: str) -> float:
            return statistics.median(each[side] for each in rounds)

        def ratio(side: str) -> float:
            return statistics.median(each[ours] / each[side] for each in rounds)

        return Row(
            what,
            unit,
            median(boto3),
            median(bare) if bare else None,
            median(ours),
            ratio(boto3),
            ratio(bare) if bare else None,
        )

    def _figure(self, workload: str) -> Callable[[str], float]:
        return lambda side: float(self._run(str(_HERE / "workloads.py"), workload, side))

    def _wall(self, code: dict[str, str]) -> Callable[[str], float]:
        def measure(side: str) -> float:
            started = time.perf_counter()
            self._run("-c", code[side])
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


_IMPORT = {"boto3": "import boto3", "nimble_stop": "import nimble_stop"}
_FIRST_CALL = {
    "boto3": (
        "import boto3\n"
        "boto3.client('nimble').stop_streaming_session(studioId='studio-1', sessionId='s')"
    ),
    "bare": "import floor\nfloor.SyncFloor().stop('s')",
    "nimble_stop": "import nimble_stop\nnimble_stop.stop_session('studio-1', 's')",
}


def main() -> None:
    """Measure, print the table, draw the plot."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each side for a figure")
    parser.add_argument("--svg", type=Path, help="draw the table as a plot into this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.rounds)
        with bench.answering():
            rows = list(bench.rows())
            few, many, growth = bench.growth()
    sys.stdout.write(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} cores, medians of {options.rounds} rounds\n\n"
        "| what | boto3 | bare libraries | nimble_stop | of boto3 | of the bare libraries |\n"
        "|---|---|---|---|---|---|\n"
    )
    sys.stdout.writelines(f"{row}\n" for row in rows)
    sys.stdout.write(
        f"\nPeak memory of a run over 2,000 ids: {few:.0f} MiB; over 20,000: {many:.0f} MiB; "
        f"ratio {growth:.2f}\n"
    )
    if options.svg:
        options.svg.write_text(draw([(row.what, row.of_boto3) for row in rows]))


if __name__ == "__main__":
    main()
