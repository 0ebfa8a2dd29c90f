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

__all__ = ["Environment", "EnvironmentFormat", "endpoint_environment"]

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

        Args:
            format: One of `EnvironmentFormat`.

        Raises:
            ValueError: There is no such format.
        """
        return _WRITERS[EnvironmentFormat(format)](self)


def endpoint_environment(
    endpoint_url: str, *, region_name: str, key: AccessKey, environ: Mapping[str, str]
) -> Environment:
    """Compute the changes that lead a process to an endpoint.

    Args:
        endpoint_url: The endpoint's URL.
        region_name: The region that its signatures are for.
        key: The access key that it accepts.
        environ: The environment that the changes are for; the hosts that it excepts from proxies
            stay so.
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


def _write_export(environment: Environment) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.variables.items()]
    return "\n".join([*lines, f"unset {' '.join(environment.unset)}", ""])


def _write_json(environment: Environment) -> str:
    values = {**environment.variables, **dict.fromkeys(environment.unset)}
    return json.dumps(values, indent=2) + "\n"


def _write_dotenv(environment: Environment) -> str:
    lines = [f"{name}={_quoted(value)}" for name, value in environment.variables.items()]
    # botocore takes an empty profile for the name of one.
    lines += [f"# unset {name}" if name in _PROFILES else f"{name}=" for name in environment.unset]
    return "\n".join([*lines, ""])


def _quoted(value: str) -> str:
    """Quote a value for a dotenv file: in single quotes nothing is special but they themselves."""
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _write_fish(environment: Environment) -> str:
    lines = [
        # In fish's single quotes a backslash escapes itself and the quote.
        "set -gx {} '{}'".format(name, value.replace("\\", "\\\\").replace("'", "\\'"))
        for name, value in environment.variables.items()
    ]
    return "\n".join([*lines, f"set -e {' '.join(environment.unset)}", ""])


def _write_powershell(environment: Environment) -> str:
    lines = [
        "$env:{} = '{}'".format(name, value.replace("'", "''"))
        for name, value in environment.variables.items()
    ]
    removed = ", ".join(f"Env:{name}" for name in environment.unset)
    return "\n".join([*lines, f"Remove-Item {removed} -ErrorAction SilentlyContinue", ""])


_WRITERS: Final[Mapping[EnvironmentFormat, Callable[[Environment], str]]] = MappingProxyType(
    {
        EnvironmentFormat.EXPORT: _write_export,
        EnvironmentFormat.JSON: _write_json,
        EnvironmentFormat.DOTENV: _write_dotenv,
        EnvironmentFormat.FISH: _write_fish,
        EnvironmentFormat.POWERSHELL: _write_powershell,
    }
)
