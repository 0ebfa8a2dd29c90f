from __future__ import annotations

import json
import sys
import traceback
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError

from nimble_stop._auth.credentials import CredentialSource
from nimble_stop.exceptions import ConfigurationError
from tests.support.clients import (
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    credentials,
    write_aws_files,
)

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env/secret"}
FILE = """
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = default/secret
[one]
aws_access_key_id = AKIAONE
aws_secret_access_key = one/secret
aws_session_token = one/token
"""
# Environment, profile_name, and the access key id that follows.
CASES: list[tuple[dict[str, str], str | None, str]] = [
    ({}, None, "AKIADEFAULT"),
    (ENVIRONMENT, None, "AKIAENV"),
    ({**ENVIRONMENT, "AWS_PROFILE": "one"}, None, "AKIAENV"),
    ({"AWS_PROFILE": "one"}, None, "AKIAONE"),
    ({"AWS_DEFAULT_PROFILE": "one"}, None, "AKIAONE"),
    (ENVIRONMENT, "one", "AKIAONE"),
    ({**ENVIRONMENT, "AWS_PROFILE": "one"}, "default", "AKIADEFAULT"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, None, "AKIADEFAULT"),
]


@pytest.mark.parametrize(("variables", "profile", "expected"), CASES)
def test_chain(
    variables: dict[str, str],
    profile: str | None,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Credentials are those that botocore's own chain finds."""
    files = write_aws_files(tmp_path, credentials=FILE)
    for name, value in {**files, **variables}.items():
        monkeypatch.setenv(name, value)

    found = CredentialSource(None, profile).keys()

    assert found.access_key == expected
    theirs = botocore.session.Session(profile=profile).get_credentials()
    assert theirs is not None
    frozen = theirs.get_frozen_credentials()
    assert found == (frozen.access_key, frozen.secret_key, frozen.token)


def test_empty_profile_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty AWS_PROFILE counts as unset."""
    files = write_aws_files(tmp_path, credentials=FILE)
    for name, value in {**files, "AWS_PROFILE": ""}.items():
        monkeypatch.setenv(name, value)

    assert CredentialSource(None, None).keys().access_key == "AKIADEFAULT"


def test_temporary_credentials_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session token in the environment belongs to its keys."""
    for name, value in {**ENVIRONMENT, "AWS_SESSION_TOKEN": "env/token"}.items():
        monkeypatch.setenv(name, value)

    assert CredentialSource(None, None).keys().token == "env/token"


def test_given_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that were passed in go before all others."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    source = CredentialSource(credentials(), "nobody")

    assert source.given
    assert source.keys() == (ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN)


def test_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile's process is asked, once for as long as its keys are valid."""
    counter, script = tmp_path / "count", tmp_path / "keys.py"
    script.write_text(
        f"open({str(counter)!r}, 'a').write('x')\n"
        "print('''"
        + json.dumps(
            {"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "process/secret"}
        )
        + "''')\n"
    )
    config = f"[default]\ncredential_process = {sys.executable} {script}\n"
    for name, value in write_aws_files(tmp_path, config=config).items():
        monkeypatch.setenv(name, value)
    source = CredentialSource(None, None)

    assert source.may_block
    assert [source.keys().access_key for _ in range(3)] == ["AKIAPROCESS"] * 3
    assert counter.read_text() == "x"
    assert not source.may_block


def test_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain is asked once; what it found is kept."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    source = CredentialSource(None, None)
    source.keys()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIALATER")

    assert source.keys().access_key == "AKIAENV"


class Refreshing:
    """Temporary credentials that are renewed whenever they are asked for."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.count = 0
        self._fails = fails
        self.credentials = RefreshableCredentials.create_from_metadata(
            self._metadata(timedelta(seconds=-1)), refresh_using=self._refresh, method="test"
        )

    def _metadata(self, valid: timedelta) -> dict[str, Any]:
        return {
            "access_key": f"ASIA{self.count}",
            "secret_key": "s",
            "token": f"token-{self.count}",
            "expiry_time": (datetime.now(UTC) + valid).isoformat(),
        }

    def _refresh(self) -> dict[str, Any]:
        if self._fails is not None:
            raise self._fails
        self.count += 1
        return self._metadata(timedelta(seconds=60))


def test_fresh_each_time() -> None:
    """Credentials that are about to expire are asked for anew, for each attempt."""
    refreshing = Refreshing()
    source = CredentialSource(refreshing.credentials, None)

    assert source.may_block
    assert [source.keys().token for _ in range(3)] == ["token-1", "token-2", "token-3"]


def test_lasting_credentials_do_not_block() -> None:
    """Long-lived credentials that were passed in are there at once."""
    assert not CredentialSource(credentials(), None).may_block


@pytest.mark.parametrize(
    "failure",
    [
        OSError("no"),
        ValueError("no"),
        RuntimeError("no"),
        KeyError("no"),
        BotoCoreError(),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole"),
    ],
)
def test_refresh_fails(failure: Exception) -> None:
    """Credentials that cannot be refreshed are a ConfigurationError."""
    source = CredentialSource(Refreshing(failure).credentials, None)

    with pytest.raises(ConfigurationError, match="cannot be loaded or refreshed: "):
        source.keys()


@pytest.mark.parametrize("profile", [None, "empty"])
def test_none(profile: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the error lists where they were searched, in order."""
    files = write_aws_files(tmp_path, config="[profile empty]\nregion = us-west-2\n")
    for name, value in files.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as failure:
        CredentialSource(None, profile).keys()

    text = str(failure.value)
    parts = ["argument credentials", "AWS_ACCESS_KEY_ID", f"'{profile or 'default'}'", "metadata"]
    assert "nimble-stop serve --sample" in text
    assert all(text.index(a) < text.index(b) for a, b in pairwise(parts))


def test_none_names_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the profile that the environment chose, by either variable."""
    files = write_aws_files(tmp_path, config="[profile empty]\nregion = us-west-2\n")
    for name, value in {**files, "AWS_DEFAULT_PROFILE": "empty"}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match="profile 'empty'"):
        CredentialSource(None, None).keys()


def test_half_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An access key id without its secret is an error that names what is missing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")

    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY"):
        CredentialSource(None, None).keys()


def test_unknown_profile() -> None:
    """A profile that does not exist is an error that names it."""
    with pytest.raises(ConfigurationError, match="nobody"):
        CredentialSource(None, "nobody").keys()


@pytest.mark.parametrize("value", ["AKIA", ("a", "b"), {"access_key": "a"}, 5])
def test_no_credentials_at_all(value: Any) -> None:  # noqa: ANN401 - whatever a caller passes
    """What are no botocore credentials is refused, without being quoted."""
    with pytest.raises(ConfigurationError, match="must be botocore Credentials") as failure:
        CredentialSource(value, None)

    assert "AKIA" not in str(failure.value)


UNSENDABLE = {
    "no access key id": Credentials("", SECRET_ACCESS_KEY, SESSION_TOKEN),
    "no secret": Credentials("AKIATEST", "", SESSION_TOKEN),
    "a line break in the token": Credentials("AKIATEST", SECRET_ACCESS_KEY, SESSION_TOKEN + "\n"),
    "a header in the token": Credentials("AKIATEST", SECRET_ACCESS_KEY, SESSION_TOKEN + "\r\nX: 1"),
    "a NUL in the token": Credentials("AKIATEST", SECRET_ACCESS_KEY, SESSION_TOKEN + "\x00"),
    "an ellipsis in the token": Credentials("AKIATEST", SECRET_ACCESS_KEY, SESSION_TOKEN + "…"),
    "a line break in the id": Credentials("AKIATEST\n", SECRET_ACCESS_KEY, SESSION_TOKEN),
    "a header in the id": Credentials("AKIA\r\nX: 1", SECRET_ACCESS_KEY, SESSION_TOKEN),
    "a blank before the id": Credentials(" AKIATEST", SECRET_ACCESS_KEY, SESSION_TOKEN),
    "a line break in the secret": Credentials("AKIATEST", SECRET_ACCESS_KEY + "\n", SESSION_TOKEN),
    "no text in the secret": Credentials("AKIATEST", SECRET_ACCESS_KEY + "\udcff", SESSION_TOKEN),
    "an umlaut in the id": Credentials("ÄKIATEST", SECRET_ACCESS_KEY, SESSION_TOKEN),
}


@pytest.mark.parametrize("who", UNSENDABLE.values(), ids=UNSENDABLE.keys())
def test_unsendable(who: Credentials) -> None:
    """Credentials that cannot be sent or signed with are refused, and quoted nowhere."""
    source = CredentialSource(who, None)
    del who

    with pytest.raises(ConfigurationError) as failure:
        source.keys()

    shown = traceback.TracebackException.from_exception(failure.value, capture_locals=True)
    for text in (str(failure.value), *list(shown.format())[2:]):
        assert SECRET_ACCESS_KEY not in text
        assert SESSION_TOKEN not in text


def test_repr() -> None:
    """Neither a source's repr nor its attributes show a secret."""
    source = CredentialSource(credentials(), None)
    source.keys()

    for text in (repr(source), str(vars(source))):
        assert SECRET_ACCESS_KEY not in text
        assert SESSION_TOKEN not in text
