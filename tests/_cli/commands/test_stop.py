from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from tests._cli.support import STUDIO

if TYPE_CHECKING:
    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli

STOP = "StopStreamingSession"


def test_the_readmes_first_line_shows_a_session_stopped(cli: Cli) -> None:
    """Nothing is configured, and a signed request stops a session of the sample studio."""
    ran = cli("--local", "stop", "demo-studio", "artist-1", "--wait")
    assert ran.code == 0
    assert "READY -> STOP_IN_PROGRESS -> STOPPED" in ran.out
    assert "volumes  retained" in ran.out


def test_ids_come_from_the_list(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``nimble-stop list ... | nimble-stop stop ... -`` is a pair."""
    listed = cli("list", STUDIO, "--owned-by", "bjorn").out
    monkeypatch.setattr(sys, "stdin", io.StringIO(listed))
    ran = cli("stop", STUDIO, "-", "--output", "jsonl")
    assert ran.code == 0
    assert {result["sessionId"] for result in ran.lines} == {"artist-2", "artist-3"}
    studio.requests.assert_applied(2, operation=STOP)


@pytest.mark.parametrize("output", ["table", "json", "jsonl"])
def test_nothing_to_stop_is_no_failure(output: str, studio: LocalNimble, cli: Cli) -> None:
    """It is shown, and standard output can be read."""
    ran = cli("stop", STUDIO, "--all", "--owned-by", "nobody", "--output", output)
    assert ran.code == 0
    assert ran.out == ("[]\n" if output == "json" else "")
    assert ran.err == f"Nothing to stop: no session READY in {STUDIO} owned by nobody.\n"
    studio.requests.assert_applied(0, operation=STOP)


def test_no_ids_on_standard_input_are_nothing_to_stop(
    cli: Cli, studio: LocalNimble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty pipe stops nothing, and says so."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    ran = cli("stop", STUDIO, "-")
    assert (ran.code, ran.err) == (0, "Nothing to stop: no session named.\n")
    assert not studio.requests


def test_a_state_replaces_ready_in_what_is_reported(studio: LocalNimble, cli: Cli) -> None:
    """Whoever asked for a state reads that one."""
    ran = cli("stop", STUDIO, "--all", "--state", "STOP_FAILED")
    assert ran.err == f"Nothing to stop: no session in {STUDIO} in STOP_FAILED.\n"
    assert studio.requests


@pytest.mark.parametrize(("words", "terminals"), [("artist-1", []), ("-", ["stdin"])])
def test_volumes_are_not_deleted_without_a_word(
    words: str,
    terminals: list[str],
    studio: LocalNimble,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nobody can be asked it is a usage error without --yes, and nothing is sent."""
    for name in terminals:
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: True)
    ran = cli("stop", STUDIO, words, "--retention", "DELETE")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert not studio.requests


def test_a_no_stops_nothing(studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person at the terminal decides; only a yes deletes."""
    for answer, code, applied in (("n\n", 130, 0), ("y\n", 0, 1)):
        stdin = io.StringIO(answer)
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", stdin)
        ran = cli("stop", STUDIO, "artist-1", "--retention", "DELETE")
        assert ran.code == code
        assert ("Nothing was stopped." in ran.err) is (code == 130)
        studio.requests.assert_applied(applied, operation=STOP)


def test_the_order_is_checked_before_the_configuration(cli: Cli) -> None:
    """A wrong command line is reported as such where nothing is configured."""
    assert cli("stop", STUDIO).code == 2
    assert cli("stop", STUDIO, "artist-1").code == 253
