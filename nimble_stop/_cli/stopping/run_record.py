"""What a run has named, kept on disk so that a repetition can account for every session.

The rule of this module: the ids are on disk before a stop is sent. Each command writes a file of
its own, whole or not at all, and a run's sessions are those of all its files. So neither
``kill -9`` nor two commands at the same time lose any, and no lock is needed. A record that cannot
be used is no reason to let sessions run: that is noted.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from nimble_stop._cli.terminal.writing import note, printable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_SUFFIX: Final = ".json"
# A run belongs to one night; the rest is a margin for questions afterwards.
_KEPT_SECONDS: Final = 90 * 24 * 3600


def state_folder() -> Path:
    """Say where the program keeps what must last from one command to the next."""
    given = os.environ.get("XDG_STATE_HOME", "")
    # A relative path is invalid: https://specifications.freedesktop.org/basedir-spec/latest/
    if Path(given).is_absolute():
        return Path(given, "nimble-stop")
    if sys.platform in ("darwin", "win32"):
        return Path(click.get_app_dir("nimble-stop"))
    return Path("~/.local/state/nimble-stop").expanduser()


class RunRecord:
    """The record of one run, in a folder of its own."""

    def __init__(self, endpoint: str, studio_id: str, run_id: str) -> None:
        self._about = {"endpoint": endpoint, "studioId": studio_id, "runId": run_id}
        name = hashlib.sha256(json.dumps(self._about).encode()).hexdigest()[:32]
        self.folder = state_folder() / "runs" / name

    def read(self) -> tuple[str, ...]:
        """Give the ids of all sessions that the run has named, the oldest first."""
        with _failure_noted("read"):
            return self._read()
        return ()

    def add(self, session_ids: Iterable[str]) -> None:
        """Keep ids, if there are new ones among them, and drop the records of long ago."""
        with _failure_noted("written"):
            known = set(self._read())
            new = [session_id for session_id in session_ids if session_id not in known]
            if new:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._write({"schemaVersion": 1, **self._about, "sessionIds": new})
            if self.folder.is_dir():
                os.utime(self.folder)
                _drop_old(self.folder.parent)

    def _read(self) -> tuple[str, ...]:
        try:
            files = [file for file in self.folder.iterdir() if file.suffix == _SUFFIX]
        except FileNotFoundError:
            return ()
        files.sort(key=lambda file: file.stat().st_mtime_ns)
        return tuple(dict.fromkeys(id_ for file in files for id_ in _ids_in(file)))

    def _write(self, document: dict[str, Any]) -> None:
        descriptor, name = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        # The name of a temporary file is unique, so no other command writes this one.
        Path(name).replace(f"{name}{_SUFFIX}")


@contextmanager
def _failure_noted(what: str) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        note(
            f"The record of the run cannot be {what}: {printable(str(error))}. A repetition may "
            "not account for every session; let XDG_STATE_HOME name a folder that can be used."
        )


def _ids_in(file: Path) -> list[str]:
    document: Any = json.loads(file.read_text(encoding="ascii"))
    try:
        return [str(session_id) for session_id in document["sessionIds"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{file} has no list of sessionIds.") from error


def _drop_old(runs: Path) -> None:
    oldest = time.time() - _KEPT_SECONDS
    for folder in runs.iterdir():
        with suppress(OSError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder)
