from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from nimble_stop._cli.stopping.run_record import RunRecord, state_folder

if TYPE_CHECKING:
    from collections.abc import Sequence


def record(
    endpoint: str = "http://h", studio_id: str = "studio-1", run_id: str = "run-1"
) -> RunRecord:
    """Find the record of a run."""
    return RunRecord(endpoint, studio_id, run_id)


def test_a_run_that_is_new_has_named_nothing() -> None:
    """Reading a record makes none."""
    assert record().read() == ()
    assert not state_folder().exists()


def test_what_was_named_is_read_back() -> None:
    """The ids of all commands of the run come once, the oldest first, whatever they hold."""
    record().add(["b", "a"])
    record().add(["a", "c\udcff", "日本", "../x"])
    record().add(["b"])
    assert record().read() == ("b", "a", "c\udcff", "日本", "../x")
    assert len(list(record().folder.iterdir())) == 2


@pytest.mark.parametrize(
    "other", [record("http://other"), record(studio_id="studio-2"), record(run_id="run-2")]
)
def test_another_run_has_another_record(other: RunRecord) -> None:
    """Endpoint, studio and run id distinguish runs."""
    record().add(["a"])
    assert other.folder.name != record().folder.name


def test_a_file_says_what_it_is_about() -> None:
    """Whoever finds one can read it."""
    record().add(["a"])
    (file,) = record().folder.iterdir()
    assert json.loads(file.read_text(encoding="ascii")) == {
        "schemaVersion": 1,
        "endpoint": "http://h",
        "studioId": "studio-1",
        "runId": "run-1",
        "sessionIds": ["a"],
    }


def test_a_file_that_was_not_finished_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is killed while it writes has named nothing, and has stopped nothing yet."""

    def kill(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", kill)
    with pytest.raises(KeyboardInterrupt):
        record().add(["a"])
    assert len(list(record().folder.iterdir())) == 1
    assert record().read() == ()


def _add(ids: Sequence[str]) -> None:
    record().add(ids)


def test_two_commands_at_once_lose_nothing() -> None:
    """Each writes a file of its own."""
    context = multiprocessing.get_context("spawn")
    groups = [[f"{writer}-{number}" for number in range(20)] for writer in range(3)]
    processes = [context.Process(target=_add, args=(ids,)) for ids in groups]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert set(record().read()) == {name for ids in groups for name in ids}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"sessionIds": 1}'])
def test_a_record_that_cannot_be_read_is_noted(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sessions are stopped all the same, and the person learns what may be missing."""
    record().folder.mkdir(parents=True)
    (record().folder / "x.json").write_text(text, encoding="ascii")
    assert record().read() == ()
    assert "The record of the run cannot be read" in capsys.readouterr().err
    record().add(["a"])
    assert "XDG_STATE_HOME" in capsys.readouterr().err


def test_a_record_that_cannot_be_written_is_noted(
    state_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that cannot be made keeps no session running."""
    state_home.write_text("a file is in the way", encoding="ascii")
    record().add(["a"])
    assert "The record of the run cannot be written" in capsys.readouterr().err


def test_records_of_long_ago_are_dropped() -> None:
    """They are kept for ninety days after the last command of their run."""
    old, recent = record(run_id="old"), record(run_id="recent")
    for each in (old, recent):
        each.add(["a"])
    day = 24 * 3600
    os.utime(old.folder, times=(0, time.time() - 91 * day))
    os.utime(recent.folder, times=(0, time.time() - 89 * day))
    record().add(["a"])
    assert not old.folder.exists()
    assert recent.read() == ("a",)


def test_a_run_that_goes_on_keeps_its_record() -> None:
    """Every command of a run renews it."""
    record().add(["a"])
    os.utime(record().folder, times=(0, 0))
    record().add(["a"])
    assert record().read() == ("a",)


def _app_dir(name: str) -> str:
    return f"/apps/{name}"


def test_the_state_folder_is_where_the_system_keeps_such_things(
    monkeypatch: pytest.MonkeyPatch, state_home: Path
) -> None:
    """XDG_STATE_HOME counts everywhere, if it is a whole path."""
    assert state_folder() == state_home / "nimble-stop"
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setattr(sys, "platform", "linux")
    assert state_folder() == Path.home() / ".local/state/nimble-stop"
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(click, "get_app_dir", _app_dir)
    assert state_folder() == Path("/apps/nimble-stop")
