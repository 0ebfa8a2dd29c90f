from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nimble_stop._config.config import resolve
from nimble_stop._config.options import Options
from nimble_stop.exceptions import ConfigurationError
from tests.support.settings import Setup, resolved

if TYPE_CHECKING:
    from pathlib import Path


def test_profile_of_the_credentials_file(setup: Setup) -> None:
    """A profile may stand in the credentials file alone."""
    setup(credentials="[one]\nregion = eu-west-1\n")

    assert resolve(Options(profile_name="one")).region_name == "eu-west-1"


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("source", ["profile_name", "AWS_PROFILE"])
def test_unknown_profile(source: str, setup: Setup, *, files: bool) -> None:
    """A profile that does not exist is an error that names it."""
    setup(
        {source: "nobody"} if source[0] == "A" else {},
        config="[default]\nregion = us-east-1\n" if files else "",
    )

    with pytest.raises(ConfigurationError, match=r"nobody.*AWS_PROFILE"):
        resolved(profile_name="nobody" if source[0] == "p" else None)


def test_broken_file(setup: Setup) -> None:
    """A file that cannot be read is an error that says so."""
    setup(config="[default\nregion")

    with pytest.raises(ConfigurationError, match="configuration files"):
        resolved()


def test_empty_file_variables(setup: Setup, tmp_path: Path) -> None:
    """An empty variable names no file: AWS's usual places count."""
    setup({"AWS_CONFIG_FILE": "", "AWS_SHARED_CREDENTIALS_FILE": "", "HOME": str(tmp_path)})
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-1\n")
    (tmp_path / ".aws" / "credentials").write_text("[default]\nmax_attempts = 6\n")

    assert resolve(Options()).region_name == "eu-west-1"
    assert resolve(Options()).retry.max_attempts == 6


def test_no_text_file(setup: Setup) -> None:
    """A file that is no text is an error that says so."""
    setup()
    with open(os.environ["AWS_CONFIG_FILE"], "wb") as file:  # noqa: PTH123
        file.write(b"[default]\nregion = \xff\xfe\n")

    with pytest.raises(ConfigurationError, match="configuration files"):
        resolved()


@pytest.mark.parametrize(
    "nimble",
    ["", "nimble =", "nimble = x", "nimble =\n  region = x", "nimble =\n  endpoint_url ="],
)
def test_services_without_an_endpoint(nimble: str, setup: Setup) -> None:
    """A services section that has nothing for us gives way to the profile."""
    setup(
        config="[default]\nservices = mine\nendpoint_url = http://profile.example\n"
        f"[services mine]\n{nimble}\n"
    )

    assert resolved().endpoint.host == "profile.example"


def test_missing_services(setup: Setup) -> None:
    """A services section that does not exist is an error that names it."""
    setup(config="[default]\nservices = nowhere\n")

    with pytest.raises(ConfigurationError, match="'nowhere', which does not exist"):
        resolved()
