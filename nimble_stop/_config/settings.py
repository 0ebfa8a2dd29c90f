"""Where settings stand: the environment, and the profile in AWS's files, which botocore reads.

An empty environment variable counts as unset.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.session import Session

_PROFILE_VARIABLES: Final = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
# What botocore calls each file, the variable that names it, and its default.
_FILES: Final = (
    ("config_file", "AWS_CONFIG_FILE", "~/.aws/config"),
    ("credentials_file", "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
)


def make_session(profile_name: str | None) -> Session:
    """Make the botocore session that reads AWS's files and finds credentials."""
    from botocore.session import Session as BotocoreSession

    # An empty variable is unset; botocore would take it for a profile or a file of that name.
    profiles = [variable for variable in _PROFILE_VARIABLES if os.environ.get(variable)]
    variables: dict[str, tuple[Any, ...]] = {"profile": (None, profiles, None, None)}
    for name, variable, default in _FILES:
        variables[name] = (None, [variable] if os.environ.get(variable) else [], default, None)
    return BotocoreSession(session_vars=variables, profile=profile_name)


class Found(NamedTuple):
    """A setting's value and where it came from."""

    value: str
    source: str


class Settings:
    """The environment and the profile, side by side."""

    def __init__(self, profile_name: str | None) -> None:
        self._profile_name = profile_name
        self._session = self._open_files()
        self._profile = self._read(lambda session: session.get_scoped_config())

    def find(self, variables: tuple[str, ...] = (), key: str = "") -> Found | None:
        """Search the environment, then the profile."""
        for name in variables:
            if value := os.environ.get(name):
                return Found(value, name)
        value = self._profile.get(key)
        if isinstance(value, str) and value:
            return Found(value, f"{key} of {self.profile_label}")
        return None

    def flag(self, variable: str, key: str) -> bool:
        found = self.find((variable,), key)
        if found is None or found.value.lower() == "false":
            return False
        if found.value.lower() == "true":
            return True
        raise ConfigurationError(f"{found.source} is {found.value!r}; it must be true or false.")

    def service_endpoint_url(self) -> Found | None:
        """Find the endpoint in the ``[services ...]`` section that the profile names."""
        name = self._profile.get("services")
        if not name:
            return None
        config = self._read(lambda session: session.full_config)
        section = config.get("services", {}).get(name)
        if section is None:
            raise ConfigurationError(
                f"{self.profile_label} names the services section {name!r}, which does not exist."
            )
        nimble: object = section.get("nimble")
        if not isinstance(nimble, dict):
            return None
        value = cast("dict[str, str]", nimble).get("endpoint_url")
        return Found(value, f"nimble endpoint_url of [services {name}]") if value else None

    @property
    def profile_label(self) -> str:
        """What error messages call the profile."""
        name = self._profile_name
        for variable in _PROFILE_VARIABLES:
            name = name or os.environ.get(variable)
        return f"profile {name or 'default'!r}"

    def _open_files(self) -> Session | None:
        """Make a botocore session if there is a file for it to read: importing it takes time."""
        named = self._profile_name or any(os.environ.get(name) for name in _PROFILE_VARIABLES)
        files = (os.environ.get(variable) or default for _, variable, default in _FILES)
        if named or any(Path(file).expanduser().is_file() for file in files):
            return make_session(self._profile_name)
        return None

    def _read(self, read: Callable[[Session], Mapping[str, Any]]) -> Mapping[str, Any]:
        if self._session is None:
            return {}
        from botocore.exceptions import BotoCoreError

        try:
            return read(self._session)
        except (BotoCoreError, OSError, UnicodeDecodeError) as error:
            reason = str(error).rstrip(".")
            raise ConfigurationError(
                f"AWS's configuration files cannot be used: {reason}. Correct AWS_PROFILE, "
                "profile_name or the file."
            ) from error
