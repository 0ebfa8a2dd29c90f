from __future__ import annotations

import errno
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest

import nimble_stop
from nimble_stop._cli.command import GlobalOptions
from nimble_stop._cli.failures import CommandError, ExitCode
from nimble_stop._cli.signals import Ending
from nimble_stop._cli.stopping.presentation import (
    Presentation,
    RunProgress,
    command_to_resume,
    result_line,
)
from nimble_stop._cli.stopping.run import Counts, StopOptions
from nimble_stop._cli.stopping.selection import Targets
from nimble_stop._cli.terminal.writing import Output
from nimble_stop.local import Latency, ServiceFailure, StopFails
from tests._cli.support import (
    STUDIO,
    Ran,
    make_result,
    plain,
    resume_of,
    run_in_terminal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from nimble_stop import StopResult
    from nimble_stop._cli.stopping.run import Run
    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli
    from tests.support.clock import ManualClock

STOP = "StopStreamingSession"
DONE = make_result("artist-1")
OPTIONS = StopOptions(
    client=cast("nimble_stop.NimbleClient", None),
    studio_id=STUDIO,
    run_id="run-1",
    resumed=False,
    retention=None,
    wait=False,
    max_concurrency=1,
    fail_fast=False,
    poll_seconds=1,
    deadline=None,
)
FAILED = make_result("artist-9", error=nimble_stop.ConflictException("busy"))


@attrs.frozen
class FinishedRun:
    """A run that has its results already, and that says a word."""

    options: StopOptions
    targets: Targets
    results: list[StopResult]
    counts: Counts
    ending: Ending = attrs.field(factory=Ending)

    @contextmanager
    def begin(self, say: Callable[[str], object]) -> Generator[Iterator[StopResult]]:
        """Give the results."""
        say("a word")
        yield map(self.counts.add, self.results)


def present(
    total: int,
    *results: StopResult,
    output: Output = Output.TABLE,
    quiet: bool = False,
    debug: bool = False,
) -> ExitCode:
    """Present a run over so many sessions, some of which have ended."""
    targets = Targets(to_stop=dict.fromkeys(map(str, range(total))))
    shared = GlobalOptions(output=output, debug=debug)
    presentation = Presentation(shared=shared, quiet=quiet, run_id="run-1", from_stdin=False)
    run = FinishedRun(OPTIONS, targets, list(results), Counts(total, total))
    return presentation.many(cast("Run", run))


def test_all_are_stopped_and_reported(studio: LocalNimble, cli: Cli) -> None:
    """Results are lines on standard output, and the summary stands on the other side."""
    ran = cli("stop", STUDIO, "--all", "--wait", "--max-concurrency", "2", "--run-id", "run-1")
    assert ran.code == 0
    assert sorted(ran.out.splitlines()) == [
        f"artist-{number}: STOPPED, volumes retained" for number in (1, 2, 3)
    ]
    first, *summary = ran.err.splitlines()
    assert first == "Run run-1: 3 sessions to stop."
    assert summary[:3] == [
        f"studio    {STUDIO}",
        "sessions  3 STOPPED",
        "volumes   3 retained",
    ]
    for number in (1, 2, 3):
        studio.requests.assert_stopped_once(f"artist-{number}")


def test_one_failure_is_reported_and_counts(studio: LocalNimble, cli: Cli) -> None:
    """The others are stopped, the exit code is 1, and the advice repeats the failed ones safely."""
    ran = cli("stop", STUDIO, "artist-1", "review-room", "nobody")
    assert ran.code == 1
    lines = dict(line.split(": ", 1) for line in ran.out.splitlines())
    assert lines["artist-1"].startswith("STOP_IN_PROGRESS")
    assert lines["review-room"].startswith("failed: ConflictException")
    assert lines["nobody"].startswith("failed: ResourceNotFoundException")
    assert "Of 3 sessions: 2 failed." in ran.err
    again = cli(*resume_of(ran.err))
    assert again.code == 1
    assert "artist-1: " in again.out
    studio.requests.assert_stopped_once("artist-1")


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_programs_get_an_object_for_each(output: str, studio: LocalNimble, cli: Cli) -> None:
    """Standard output holds results only; the failure is an object on standard error."""
    ran = cli("stop", STUDIO, "artist-1", "nobody", "--output", output)
    results: list[Any] = ran.json if output == "json" else ran.lines
    assert ran.code == 1
    found = {result["sessionId"]: result for result in results}
    assert found["artist-1"]["session"]["state"] == "STOP_IN_PROGRESS"
    assert found["nobody"]["error"]["code"] == "ResourceNotFoundException"
    assert ran.error["error"]["type"] == "SomeFailedError"
    assert ran.error["error"]["advice"] is None
    assert studio.requests


def test_a_second_interrupt_leaves_at_once(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even then what was done is shown."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nimble_stop._cli.stopping.run.Counts.add", interrupt)
    ran = cli("stop", STUDIO, "--all", "--run-id", "run-1")
    assert ran.code == 130
    assert "sessions  " in ran.err
    assert resume_of(ran.err)
    assert studio.requests


def test_in_a_terminal_an_interrupt_leaves_the_display_whole(studio: LocalNimble) -> None:
    """Ctrl-C is reported in a line of its own, and the summary follows."""
    studio.inject(Latency(0.2), operation=STOP)
    for number in range(40):
        studio.add_session(studio_id="big", session_id=f"s-{number}")
    interrupted: list[bool] = []

    def on_output(shown: str, process: subprocess.Popen[bytes]) -> None:
        if "under way" in shown and not interrupted:
            interrupted.append(True)
            process.send_signal(signal.SIGINT)

    code, shown = run_in_terminal(("stop", "big", "--all"), columns=200, on_output=on_output)
    assert code == 130
    assert "Interrupted; the stops under way are being finished." in shown
    assert resume_of(plain(shown))[:3] == ["stop", "big", "--all"]


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_reader_that_goes_away_stops_nothing(closed: str, studio: LocalNimble) -> None:
    """``| head -1`` leaves no session running, and a summary that nobody reads is no failure."""
    read, written = os.pipe()
    os.close(read)
    streams: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        closed: written,
    }
    process = subprocess.run(
        [sys.executable, "-m", "nimble_stop", "stop", STUDIO, "--all"],
        text=True,
        check=True,
        **streams,
    )
    os.close(written)
    assert "Traceback" not in (process.stderr or "")
    assert (process.stdout or "").count("artist-") == (3 if closed == "stderr" else 0)
    studio.requests.assert_applied(3, operation=STOP)


# No file may grow: what is written to one fails as it does on a full disk.
FULL = """
import resource, sys
from nimble_stop.__main__ import main

resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_full_disk_stops_nothing(output: str, studio: LocalNimble, tmp_path: Path) -> None:
    """All sessions are stopped, and the command that shows the results again is there."""
    with (tmp_path / "results").open("w", encoding="ascii") as full:
        process = subprocess.run(
            [sys.executable, "-c", FULL, "stop", STUDIO, "--all", "--output", output],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 255
    assert f"Reading or writing failed: {os.strerror(errno.EFBIG)}." in process.stderr
    assert "To resume: nimble-stop stop" in process.stderr
    studio.requests.assert_applied(3, operation=STOP)


def test_a_quiet_run_of_a_good_night_says_nothing(studio: LocalNimble, cli: Cli) -> None:
    """Whoever gets what it writes gets no mail; a night without sessions is a good one."""
    for option in ("--quiet", "-q"):
        assert cli("stop", STUDIO, "--all", "--wait", option) == Ran(0, "", "")
    assert studio.requests


def test_a_quiet_run_of_a_bad_night_says_what_failed_and_why(studio: LocalNimble, cli: Cli) -> None:
    """Nothing else stands between the failures."""
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-2")
    ran = cli("stop", STUDIO, "--all", "--wait", "--quiet")
    assert ran.code == 1
    (line,) = ran.out.splitlines()
    assert line.startswith("artist-2: failed: AccessDeniedException: ")
    (sentence,) = ran.err.splitlines()
    assert sentence.startswith("nimble-stop: Of 3 sessions: 1 failed. To try those again: ")


def test_a_quiet_stop_of_one_session_says_nothing(studio: LocalNimble, cli: Cli) -> None:
    """An error is written all the same, and JSON is whole."""
    assert cli("stop", STUDIO, "artist-1", "--wait", "-q") == Ran(0, "", "")
    ran = cli("stop", STUDIO, "artist-1", "-q")
    assert (ran.code, ran.out) == (254, "")
    assert "ConflictException" in ran.err
    assert cli("stop", STUDIO, "artist-2", "-q", "--output", "json").json["state"]
    assert studio.requests


def test_only_those_that_can_be_stopped_are_tried_again(studio: LocalNimble, cli: Cli) -> None:
    """The command that is shown promises nothing for a stop that has failed for good."""
    studio.inject(StopFails(), session_id="artist-1")
    ran = cli("stop", STUDIO, "--all", "--wait", "--run-id", "run-1")
    assert ran.code == 1
    assert "again" not in ran.err
    studio.add_session(studio_id=STUDIO, session_id="artist-4")
    studio.inject(ServiceFailure("AccessDeniedException"), session_id="artist-4", times=1)
    ran = cli("stop", STUDIO, "--all", "--wait", "--run-id", "run-1")
    assert "Of 4 sessions: 2 failed. To try 1 of those again: " in ran.err
    assert cli(*resume_of(ran.err)).code == 1
    assert studio.sessions[STUDIO, "artist-4"].state == "STOPPED"


@pytest.mark.parametrize("columns", [40, 80])
def test_the_live_display_fits_the_terminal(
    columns: int, as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A bar of the terminal's width, the pace and the counts, each on a line."""
    as_terminal("stderr", columns=columns)
    with pytest.raises(CommandError, match="1 failed, 38 under way"):
        present(40, DONE, FAILED)
    lines = plain(capsys.readouterr().err.replace("\r", "\n")).splitlines()
    bars = [line for line in lines if "━" in line]
    assert bars
    assert set("".join(bars)) <= set("━╸╺ ")
    assert all(len(line) <= columns for line in lines)
    assert "1 STOPPED, 1 failed, 38 under way" in {line.strip() for line in lines}
    assert any(line.startswith("2 of 40 in ") for line in lines)


@pytest.mark.parametrize("total", [20, 21])
def test_a_terminal_has_a_live_display_with_the_results_above(
    total: int, as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of few sessions all results are shown, of many those that failed."""
    as_terminal()
    with pytest.raises(CommandError):
        present(total, DONE, FAILED)
    out, err = capsys.readouterr()
    text = plain(err)
    assert out == ""
    assert ("artist-1: STOPPED" in text) is (total == 20)
    assert "artist-9: failed" in text
    assert "a word\n" in text
    assert f"2 of {total}" in text


@pytest.mark.parametrize("output", [Output.TABLE, Output.JSONL])
def test_a_live_display_goes_along_with_results_in_a_file(
    output: Output, as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where standard output goes elsewhere, it has all results, for people or programs."""
    as_terminal("stderr")
    assert present(1, DONE, output=output) == 0
    out, err = capsys.readouterr()
    assert "artist-1" in out
    assert "1 of 1" in err


@pytest.mark.parametrize("options", [{"output": Output.JSON}, {"debug": True}])
def test_a_live_display_does_not_mix_with_other_output(
    options: dict[str, Any], as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON or log lines in the same terminal leave no room for it."""
    as_terminal()
    assert present(1, DONE, **options) == 0
    out, err = capsys.readouterr()
    assert "artist-1" in out
    assert "1 of 1" not in err


@pytest.mark.parametrize("output", list(Output))
def test_a_quiet_run_shows_a_person_the_failures_only(
    output: Output, as_terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no live display either; a program gets every result all the same."""
    as_terminal("stderr")
    with pytest.raises(CommandError):
        present(2, DONE, FAILED, output=output, quiet=True)
    out, err = capsys.readouterr()
    assert err == "a word\n"
    assert ("artist-1" in out) is (output is not Output.TABLE)
    assert "artist-9" in out


def test_a_result_is_a_line() -> None:
    """A person reads the state and the volumes, or what went wrong and what to do."""
    assert result_line(make_result("x\x1b")) == "x\\x1b: STOPPED, volumes retained"
    assert result_line(make_result(repeated=True)) == (
        "artist-1: STOPPED, by this run before, volumes retained"
    )
    assert result_line(FAILED) == (
        f"artist-9: failed: ConflictException: busy. {nimble_stop.ConflictException.advice}"
    )
    bare = nimble_stop.StopResult(
        session_id="x", session=None, error=None, client_token=None, attempts=0
    )
    assert result_line(bare) == "x: UNKNOWN, volumes not given by the service"


@pytest.mark.parametrize(
    ("words", "resumed"),
    [
        (["stop", "s", "a"], ["stop", "s", "a", "--run-id", "new id"]),
        (["stop", "s", "--run-id", "old", "a"], ["stop", "s", "a", "--run-id", "new id"]),
        (["stop", "--run-id=old", "s", "a b"], ["stop", "s", "a b", "--run-id", "new id"]),
        (["stop", "s", "--", "--run-id"], ["stop", "s", "--run-id", "new id", "--", "--run-id"]),
    ],
)
def test_the_command_that_resumes_is_the_same_with_the_run_id(
    words: list[str], resumed: list[str]
) -> None:
    """A shell reads it back to the same words; an older run id is replaced."""
    assert shlex.split(command_to_resume(words, "new id")) == ["nimble-stop", *resumed]


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("studio-1", "studio-1"),
        ("it's", "'it'\"'\"'s'"),
        ("x\ny", "$'x\\ny'"),
        ("\x1b'\\", "$'\\x1b\\'\\\\'"),
    ],
)
def test_a_command_is_quoted_for_a_shell(word: str, quoted: str) -> None:
    """A word goes through a shell as it is, and no control character is shown raw."""
    assert command_to_resume(["stop", word], "run-1") == f"nimble-stop stop {quoted} --run-id run-1"


def test_the_hint_fits_the_run() -> None:
    """Ids on standard input are needed again, and an endpoint in memory has nothing to resume."""
    shared = GlobalOptions(words=("stop", "s", "-"))
    named, piped = (
        Presentation(shared=shared, quiet=False, run_id="run-1", from_stdin=from_stdin)
        for from_stdin in (False, True)
    )
    assert named.hint() == "To resume: nimble-stop stop s - --run-id run-1"
    assert piped.hint("To go on").startswith(
        "To go on with the same ids on standard input: nimble-stop "
    )
    shared.local = ":memory:"
    assert "nimble-stop" not in named.hint()


class ManualRun:
    """A run with a clock that the test moves, and its display."""

    def __init__(self, total: int, clock: ManualClock) -> None:
        self.counts = Counts(total)
        self._progress = RunProgress(self.counts, lambda: clock.monotonic)

    @property
    def pace(self) -> str:
        """What the display says after a refresh."""
        _, pace, _ = self._progress.__rich__().renderables
        return str(pace)

    @property
    def seconds_left(self) -> float | None:
        """The estimate in the pace."""
        found = re.search(r"about (?:(\d+) min )?([\d.]+) s left", self.pace)
        return None if found is None else 60 * int(found[1] or 0) + float(found[2])


def test_the_pace_shows_how_far_and_how_fast(clock: ManualClock) -> None:
    """With nothing done yet there is no rate, and from a few sessions no estimate."""
    run = ManualRun(4, clock)
    assert run.pace == "0 of 4 in 0.0 s"
    clock.advance(2)
    run.counts.add(make_result())
    assert run.pace == "1 of 4 in 2.0 s, 0.5 a second"
    for _ in range(3):
        run.counts.add(make_result())
    assert run.pace == "4 of 4 in 2.0 s, 2.0 a second"


def test_early_failures_say_nothing_about_the_time_left(clock: ManualClock) -> None:
    """Eight sessions that fail after long retries do not make the others slower."""
    run = ManualRun(200, clock)
    ids = run.counts.feed(str(number) for number in range(200))
    waiting = [next(ids) for _ in range(8)]
    clock.advance(5)
    for session_id in waiting:
        run.counts.add(make_result(session_id, error=nimble_stop.ThrottlingException("slow down")))
    assert run.seconds_left is None
    # From here on each takes 0.4 s, eight at a time.
    checked = 0
    while waiting := list(itertools.islice(ids, 8)):
        clock.advance(0.4)
        for session_id in waiting:
            run.counts.add(make_result(session_id))
        estimate = run.seconds_left
        if estimate is not None:
            real = 0.4 * (200 - run.counts.ended) / 8
            assert 0.8 * real <= estimate <= 1.2 * real
            checked += 1
    assert checked > 15
