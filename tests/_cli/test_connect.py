from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

import nimble_stop
from nimble_stop._call.deadline import Deadline
from nimble_stop._cli.command import GlobalOptions
from nimble_stop._cli.connect import open_client, poll_seconds
from nimble_stop._config.options import POLL_SECONDS
from nimble_stop.local import Latency
from tests._cli.support import STUDIO
from tests.support.scripted import ScriptedServer, always, answer

if TYPE_CHECKING:
    from pathlib import Path

    from nimble_stop.local import LocalNimble
    from tests._cli.support import Cli

LOCAL = GlobalOptions(local=":memory:")


def test_local_reads_no_configuration(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that would break any other command do not matter, and are there again after it."""
    broken = {
        "AWS_PROFILE": "missing",
        "AWS_MAX_ATTEMPTS": "many",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_CA_BUNDLE": "/missing",
        "HTTP_PROXY": "http://proxy.invalid:1",
    }
    for name, value in broken.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert cli("show", "demo-studio", "artist-1", "--local").code == 0
    assert dict(os.environ) == before


def test_exceptions_from_proxies_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback is added to those that the environment names, for as long as it takes."""
    monkeypatch.setenv("NO_PROXY", "example.com")
    with open_client(LOCAL):
        assert os.environ["NO_PROXY"] == "127.0.0.1,example.com"
    assert os.environ["NO_PROXY"] == "example.com"


def test_local_takes_a_region() -> None:
    """The endpoint stands where --region says."""
    with open_client(GlobalOptions(local=":memory:", region_name="eu-west-1")) as client:
        assert client.region_name == "eu-west-1"


def test_a_store_keeps_what_was_done(cli: Cli, tmp_path: Path) -> None:
    """With a file the sample studio is added once, and a stop is still there the next time."""
    local = f"--local={tmp_path / 'studio.db'}"
    assert cli(local, "stop", "demo-studio", "artist-1").code == 0
    session = cli(local, "show", "demo-studio", "artist-1", "--output", "json").json
    assert session["state"] != "READY"


def test_a_store_that_cannot_be_used_is_a_configuration_error(cli: Cli, tmp_path: Path) -> None:
    """The message names it, and --local is not advised to whoever uses it."""
    ran = cli(f"--local={tmp_path}", "list", "demo-studio")
    assert ran.code == 253
    assert str(tmp_path) in ran.err
    assert "add --local" not in ran.err


def test_without_region_or_credentials_local_is_the_advice(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newcomers learn how to go on, whether the client or its first call finds out."""
    url = ("--endpoint-url", "http://127.0.0.1:1")
    for words in (url, ("--region", "us-west-2", *url), ("--endpoint-url", "ftp://x")):
        ran = cli("list", "s", *words)
        assert ran.code == 253
        assert "--endpoint-url. To try without AWS, add --local." in ran.err
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert cli("show", "s", "x").code == 253


def test_the_options_reach_the_client(studio: LocalNimble) -> None:
    """Region, endpoint and deadline are those of the command line."""
    options = GlobalOptions(endpoint_url=studio.endpoint_url, region_name="us-west-2")
    with open_client(options, deadline=Deadline(7, time.monotonic)) as client:
        assert client.endpoint_url == studio.endpoint_url
        assert client.region_name == "us-west-2"
    studio.inject(Latency(20))
    with (
        open_client(options, deadline=Deadline(0.1, time.monotonic)) as client,
        pytest.raises(nimble_stop.DeadlineExceededError),
    ):
        client.get_session("s", "x")


def test_a_profile_is_used(
    studio: LocalNimble, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--profile chooses where the region and the credentials come from."""
    config = tmp_path / "config"
    config.write_text(
        f"[profile night]\nregion = {studio.region_name}\n"
        f"aws_access_key_id = {studio.credentials.access_key}\n"
        f"aws_secret_access_key = {studio.credentials.secret_key}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    assert cli("show", "studio-1", "artist-1").code == 253
    assert cli("show", "studio-1", "artist-1", "--profile", "night").code == 0


def test_a_wait_polls_the_embedded_endpoint_more_often() -> None:
    """Elsewhere the library's own interval holds."""
    assert poll_seconds(LOCAL) < 1
    assert poll_seconds(GlobalOptions()) == POLL_SECONDS


@pytest.mark.parametrize("other", ["--profile", "--endpoint-url"])
def test_local_excludes_other_endpoints(other: str, cli: Cli) -> None:
    """The message names the option to leave out."""
    ran = cli("--local", "list", "demo-studio", other, "x")
    assert ran.code == 2
    assert f"leave {other} out" in ran.err


def test_the_advice_is_not_given_to_whoever_follows_it(cli: Cli) -> None:
    """With --local a wrong region is a mistake of its own."""
    ran = cli("--local", "--region", "x y", "list", "demo-studio")
    assert ran.code == 253
    assert "add --local" not in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["list", STUDIO],
        ["stop", STUDIO, "artist-1"],
        ["stop", STUDIO, "artist-1", "artist-2"],
        ["stop", STUDIO, "artist-1", "artist-2", "--output", "jsonl"],
    ],
)
@pytest.mark.parametrize("status", [200, 403, 503])
def test_an_answer_of_the_proxys_is_said_to_be_the_proxys(
    status: int, words: list[str], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of the proxy's that passes for the service's leads astray."""
    with ScriptedServer(always(answer(b"<html>no</html>", status=status))) as proxy:
        for name, value in {
            "HTTP_PROXY": f"http://me:hush@127.0.0.1:{proxy.port}",
            "AWS_ENDPOINT_URL": "http://nimble.example",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_ACCESS_KEY_ID": "ME",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_MAX_ATTEMPTS": "1",
        }.items():
            monkeypatch.setenv(name, value)
        ran = cli(*words, "--deadline", "20")
    shown = ran.out + ran.err
    assert ran.code not in (0, 253)
    assert f"it is the proxy's, http://127.0.0.1:{proxy.port}, and not the service's" in shown
    assert "hush" not in shown


def test_an_answer_of_the_service_is_not_said_to_be_the_proxys(
    studio: LocalNimble, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a request id, and a proxy that is not in the way is not named."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert studio.sessions
    ran = cli("show", STUDIO, "nobody")
    assert ran.code == 254
    assert "proxy" not in ran.err
