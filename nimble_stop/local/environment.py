"""The environment that leads the clients of this API to an endpoint.

This module owns the rule which variables lead there and which lead elsewhere. It holds for boto3,
aws-cli, the AWS SDK for JavaScript and this package's own clients, whatever a user's environment
and AWS configuration say. ``nimble-stop serve`` prints it, the pytest plugin sets it.
"""

from __future__ import annotations

import json
import shlex
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nimble_stop.local.api.signature import AccessKey

# A session token is sent along with any key; a past expiration makes botocore ask for newer keys.
_STALE_CREDENTIALS: Final = (
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
)
# The JavaScript client prefers a profile's credentials to the environment's.
_PROFILES: Final = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
# The configuration file says the same things, and only a variable goes before it: ignored endpoint
# variables, and host names that do not go with an endpoint of one's own.
_SWITCHED_OFF: Final = (
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
# Programs read either spelling, some only one of them.
_PROXY_EXCEPTIONS: Final = ("NO_PROXY", "no_proxy")


class EnvironmentFormat(StrEnum):
    """How an `Environment` can be written.

    - ``export``: lines for a POSIX shell, ``export NAME=value`` and ``unset NAME``.
    - ``json``: one object; the value of a variable to unset is null.
    - ``dotenv``: lines ``NAME='value'``. Such a file cannot unset a variable: it gets an empty
      value where clients read that as unset, and is named in a comment otherwise.
    - ``fish``: lines for the fish shell, ``set -gx NAME value`` and ``set -e NAME``.
    - ``powershell``: lines for PowerShell, ``$env:NAME = 'value'`` and ``Remove-Item``.
    """

    EXPORT = "export"
    JSON = "json"
    DOTENV = "dotenv"
    FISH = "fish"
    POWERSHELL = "powershell"


@attrs.frozen
class Environment:
    """Changes to an environment.

    Args:
        variables: The variables to set. The first four are the endpoint's URL, the access key's
            id, its secret and the region.
        unset: The variables to remove.
    """

    variables: Mapping[str, str] = attrs.field(repr=False)
    unset: tuple[str, ...]

    def applied_to(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return a copy of an environment with the changes made, for a child process."""
        kept = {name: value for name, value in environ.items() if name not in self.unset}
        return {**kept, **self.variables}

    def render(self, format: EnvironmentFormat | str) -> str:  # noqa: A002  # the option's own name
        """Write the changes as text, with a newline at the end.

        Raises:
            ValueError: There is no such format.
        """
        form = EnvironmentFormat(format)
        if form is EnvironmentFormat.JSON:
            values = {**self.variables, **dict.fromkeys(self.unset)}
            return json.dumps(values, indent=2) + "\n"
        assignment, quote = _ASSIGNMENTS[form]
        lines = [assignment.format(name, quote(value)) for name, value in self.variables.items()]
        return "\n".join([*lines, *_removals(form, self.unset), ""])


def endpoint_environment(
    endpoint_url: str, *, region_name: str, key: AccessKey, environ: Mapping[str, str]
) -> Environment:
    """Compute the changes that lead a process to an endpoint.

    The hosts that the process's environment excepts from proxies stay so.
    """
    variables = {
        "AWS_ENDPOINT_URL_NIMBLE": endpoint_url,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_DEFAULT_REGION": region_name,
        # botocore reads the one, the other SDKs the other.
        "AWS_REGION": region_name,
    }
    if key.session_token is not None:
        variables["AWS_SESSION_TOKEN"] = key.session_token
    variables |= dict.fromkeys(_SWITCHED_OFF, "false")
    # A proxy cannot reach this machine's loopback.
    host = urlsplit(endpoint_url).hostname or ""
    for name in _PROXY_EXCEPTIONS:
        others = [other for other in environ.get(name, "").split(",") if other.strip()]
        variables[name] = ",".join(dict.fromkeys([host, *others]))
    misleading = (*_STALE_CREDENTIALS, *_PROFILES)
    unset = tuple(name for name in misleading if name not in variables)
    return Environment(MappingProxyType(variables), unset)


def _quote_dotenv(value: str) -> str:
    # In single quotes nothing is special but they themselves.
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _quote_fish(value: str) -> str:
    # In fish's single quotes a backslash escapes itself and the quote.
    return "'{}'".format(value.replace("\\", "\\\\").replace("'", "\\'"))


def _quote_powershell(value: str) -> str:
    return "'{}'".format(value.replace("'", "''"))


_ASSIGNMENTS: Final[Mapping[EnvironmentFormat, tuple[str, Callable[[str], str]]]] = (
    MappingProxyType(
        {
            EnvironmentFormat.EXPORT: ("export {}={}", shlex.quote),
            EnvironmentFormat.DOTENV: ("{}={}", _quote_dotenv),
            EnvironmentFormat.FISH: ("set -gx {} {}", _quote_fish),
            EnvironmentFormat.POWERSHELL: ("$env:{} = {}", _quote_powershell),
        }
    )
)


def _removals(form: EnvironmentFormat, names: tuple[str, ...]) -> list[str]:
    if form is EnvironmentFormat.DOTENV:
        # botocore takes an empty profile for the name of one.
        return [f"# unset {name}" if name in _PROFILES else f"{name}=" for name in names]
    if form is EnvironmentFormat.POWERSHELL:
        removed = ", ".join(f"Env:{name}" for name in names)
        return [f"Remove-Item {removed} -ErrorAction SilentlyContinue"]
    return [f"{'set -e' if form is EnvironmentFormat.FISH else 'unset'} {' '.join(names)}"]
