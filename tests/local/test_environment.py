from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from nimble_stop.local import AccessKey, Environment, EnvironmentFormat
from nimble_stop.local.environment import endpoint_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = AccessKey("AKID", "secret")
NASTY = """it's $HOME "quoted" \\ `x` #"""


def lead(
    environ: Mapping[str, str] | None = None, *, key: AccessKey = KEY, host: str = "127.0.0.1"
) -> Environment:
    """Lead an environment to an endpoint."""
    return endpoint_environment(
        f"http://{host}:8080", region_name="eu-west-1", key=key, environ=environ or {}
    )


def test_what_leads_to_the_endpoint() -> None:
    """Endpoint, credentials and region come first, the region in both its spellings."""
    variables = lead().variables
    assert list(variables.items())[:5] == [
        ("AWS_ENDPOINT_URL_NIMBLE", "http://127.0.0.1:8080"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_REGION", "eu-west-1"),
    ]
    assert variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] == "false"
    assert "secret" not in repr(lead())


def test_what_leads_elsewhere_is_removed() -> None:
    """Another session token, profile or expiration cannot stay; what does no harm can."""
    preset = {
        "AWS_SESSION_TOKEN": "x",
        "AWS_SECURITY_TOKEN": "x",
        "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
        "AWS_PROFILE": "x",
        "AWS_DEFAULT_PROFILE": "x",
        "AWS_REGION": "x",
        "AWS_MAX_ATTEMPTS": "7",
        "PATH": "/bin",
    }
    after = lead(preset).applied_to(preset)
    assert "x" not in after.values()
    assert (after["AWS_MAX_ATTEMPTS"], after["PATH"]) == ("7", "/bin")


def test_temporary_credentials_have_their_own_token() -> None:
    """The token of the key is set, and not removed."""
    environment = lead({}, key=AccessKey("ASIA", "secret", "token"))
    assert environment.variables["AWS_SESSION_TOKEN"] == "token"
    assert "AWS_SESSION_TOKEN" not in environment.unset


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "127.0.0.1"),
        ("example.com,127.0.0.1", "127.0.0.1,example.com"),
        ("a, ,b", "127.0.0.1,a,b"),
    ],
)
def test_no_proxy_comes_between(given: str, expected: str) -> None:
    """The endpoint's host is added to those that are excepted from proxies."""
    variables = lead({"no_proxy": given}).variables
    assert variables["no_proxy"] == expected
    assert variables["NO_PROXY"] == "127.0.0.1"


def test_the_host_of_an_ipv6_endpoint() -> None:
    """An address in brackets is excepted from proxies without them."""
    assert lead(host="[::1]").variables["NO_PROXY"] == "::1"


def test_a_shell_reads_the_export_format() -> None:
    """Values come through a POSIX shell as they are, and variables are removed."""
    environment = lead(key=AccessKey("AKID", NASTY))
    script = environment.render("export") + 'echo "$AWS_SECRET_ACCESS_KEY|$AWS_PROFILE"'
    preset = {"PATH": "/usr/bin:/bin", "AWS_PROFILE": "x"}
    shell = shutil.which("sh") or "sh"
    ran = subprocess.run(
        [shell, "-ec", script], env=preset, capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"{NASTY}|\n"


def test_json() -> None:
    """One object; what is to be removed is null."""
    read = json.loads(lead().render(EnvironmentFormat.JSON))
    assert read["AWS_ENDPOINT_URL_NIMBLE"] == "http://127.0.0.1:8080"
    assert read["AWS_PROFILE"] is None


def test_dotenv() -> None:
    """Quoted assignments; what is to be removed is empty, or a comment where that would hurt."""
    lines = lead(key=AccessKey("AKID", "it's $5")).render("dotenv").splitlines()
    assert lines[0] == "AWS_ENDPOINT_URL_NIMBLE='http://127.0.0.1:8080'"
    assert lines[2] == 'AWS_SECRET_ACCESS_KEY="it\'s \\$5"'
    assert "AWS_SESSION_TOKEN=" in lines
    assert "# unset AWS_PROFILE" in lines


def test_fish() -> None:
    """Exported globals, and names to erase."""
    text = lead(key=AccessKey("AKID", "it's \\")).render("fish")
    assert "set -gx AWS_SECRET_ACCESS_KEY 'it\\'s \\\\'\n" in text
    assert text.endswith("AWS_PROFILE AWS_DEFAULT_PROFILE\n")


def test_powershell() -> None:
    """Assignments to the environment drive, and variables to remove when they are there."""
    text = lead(key=AccessKey("AKID", "it's")).render("powershell")
    assert "$env:AWS_SECRET_ACCESS_KEY = 'it''s'\n" in text
    assert "Remove-Item Env:AWS_SESSION_TOKEN, " in text
    assert text.endswith("-ErrorAction SilentlyContinue\n")


def test_an_unknown_format() -> None:
    """There are five."""
    with pytest.raises(ValueError, match="toml"):
        lead().render("toml")
    assert all(lead().render(form).endswith("\n") for form in EnvironmentFormat)
