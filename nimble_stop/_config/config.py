"""A client's configuration, resolved once, from arguments, the environment and AWS's files.

For every setting the order is: argument, environment, profile, default. An empty environment
variable counts as unset. botocore reads the files.
https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import attrs

from nimble_stop._config import endpoint_url
from nimble_stop._config.retry_policy import RetryPolicy
from nimble_stop._config.runtime import Runtime
from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.session import Session

    from nimble_stop._config.options import Options, Timeouts

_logger = logging.getLogger("nimble_stop")

_LONGEST_APP_ID: Final = 50
# botocore knows only the second of these; AWS's other SDKs read the first.
_REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_NIMBLE", "AWS_ENDPOINT_URL")
_RETRY_MODES: Final = ("legacy", "standard", "adaptive")
_PROFILE_VARIABLES: Final = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
# What botocore calls each file, the variable that names it, and its default.
_FILES: Final = (
    ("config_file", "AWS_CONFIG_FILE", "~/.aws/config"),
    ("credentials_file", "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
)


@attrs.frozen(kw_only=True)
class Config:
    """What a client works with; nothing here is secret. The client classes document the options.

    ``correct_clock_skew`` makes signatures follow the service's clock, and ``app_id`` is what the
    user agent names the application.
    """

    region_name: str
    endpoint: endpoint_url.Endpoint
    timeouts: Timeouts
    deadline: float
    retry: RetryPolicy
    max_connections: int
    ca_bundle: str | None
    correct_clock_skew: bool
    app_id: str | None
    runtime: Runtime


def resolve(options: Options) -> Config:
    """Resolve a client's configuration, or raise what is missing or invalid, and where."""
    settings = Settings(options.profile_name)
    region_name = _region_name(options, settings)
    return Config(
        region_name=region_name,
        endpoint=_endpoint(options, settings, region_name),
        timeouts=options.timeout,
        deadline=options.deadline,
        retry=_retry(options.retry, settings),
        max_connections=options.max_connections,
        ca_bundle=_ca_bundle(options, settings),
        correct_clock_skew=not settings.flag(
            "AWS_DISABLE_CLOCK_SKEW_CORRECTION", "disable_clock_skew_correction"
        ),
        app_id=_app_id(settings),
        runtime=options.runtime or Runtime(),
    )


def _region_name(options: Options, settings: Settings) -> str:
    if options.region_name is not None:
        return endpoint_url.checked_region(options.region_name, "region_name")
    found = settings.find(_REGION_VARIABLES, "region")
    if found is None:
        raise ConfigurationError(
            "There is no region. Looked, in this order, at the argument region_name, at "
            f"{' and '.join(_REGION_VARIABLES)} in the environment, and at region of "
            f"{settings.profile_label}. Set one of them, for example AWS_REGION=us-west-2. "
            f"{endpoint_url.TRY_IT}"
        )
    return endpoint_url.checked_region(found.value, found.source)


def _endpoint(options: Options, settings: Settings, region_name: str) -> endpoint_url.Endpoint:
    fips = settings.flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
    dualstack = settings.flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
    custom = _custom_endpoint(options, settings)
    if custom is None:
        return endpoint_url.aws_endpoint(region_name, fips=fips, dualstack=dualstack)
    if fips or dualstack:
        raise ConfigurationError(
            f"{custom.source} and {'FIPS' if fips else 'dual-stack'} endpoints exclude each other: "
            "only AWS's own host names have such variants. Unset one of the two."
        )
    return endpoint_url.parse_endpoint(custom.value, custom.source)


def _custom_endpoint(options: Options, settings: Settings) -> Found | None:
    if options.endpoint_url is not None:
        return Found(options.endpoint_url, "endpoint_url")
    if settings.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"):
        return None
    found = settings.find(_ENDPOINT_VARIABLES) or settings.service_endpoint_url()
    return found or settings.find(key="endpoint_url")


def _retry(retry: RetryPolicy | None, settings: Settings) -> RetryPolicy:
    if retry is not None:
        return retry
    mode = settings.find(("AWS_RETRY_MODE",), "retry_mode")
    if mode is not None and mode.value not in _RETRY_MODES:
        raise ConfigurationError(
            f"{mode.source} is {mode.value!r}; it must be one of {', '.join(_RETRY_MODES)}. "
            "This library always retries by the standard mode's rules."
        )
    attempts = settings.find(("AWS_MAX_ATTEMPTS",), "max_attempts")
    if attempts is None:
        return RetryPolicy()
    try:
        return RetryPolicy(max_attempts=int(attempts.value))
    except ValueError:
        raise ConfigurationError(
            f"{attempts.source} is {attempts.value!r}; it must be a whole number from 1, the "
            "attempts in all."
        ) from None


def _ca_bundle(options: Options, settings: Settings) -> str | None:
    found = settings.find(("AWS_CA_BUNDLE",), "ca_bundle")
    if options.ca_bundle is not None:
        found = Found(os.fspath(options.ca_bundle), "ca_bundle")
    if found is not None and not Path(found.value).exists():
        raise ConfigurationError(
            f"{found.source} is {found.value!r}, which does not exist; it must be a file or a "
            "directory of certificates to trust."
        )
    return found.value if found else None


def _app_id(settings: Settings) -> str | None:
    found = settings.find(("AWS_SDK_UA_APP_ID",), "sdk_ua_app_id")
    if found is None:
        return None
    if len(found.value) > _LONGEST_APP_ID:
        _logger.warning("%s is longer than %d characters.", found.source, _LONGEST_APP_ID)
    return found.value


class Found(NamedTuple):
    """A setting's value and where it came from."""

    value: str
    source: str


class Settings:
    """The environment and the profile, side by side."""

    def __init__(self, profile_name: str | None) -> None:
        self._profile_name = profile_name
        named = profile_name or any(os.environ.get(name) for name in _PROFILE_VARIABLES)
        files = (os.environ.get(variable) or default for _, variable, default in _FILES)
        self._profile: Mapping[str, Any] = {}
        self._services: Mapping[str, Any] = {}
        # Importing what reads the files takes time.
        if named or any(Path(file).expanduser().is_file() for file in files):
            self._profile, self._services = _read_files(profile_name)

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
        section = self._services.get(name)
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


def _read_files(profile_name: str | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Read the profile, and the ``[services ...]`` sections by their names."""
    from botocore.exceptions import BotoCoreError

    session = make_session(profile_name)
    try:
        return session.get_scoped_config(), session.full_config.get("services", {})
    except (BotoCoreError, OSError, UnicodeDecodeError) as error:
        reason = str(error).rstrip(".")
        raise ConfigurationError(
            f"AWS's configuration files cannot be used: {reason}. Correct AWS_PROFILE, "
            "profile_name or the file."
        ) from error


def make_session(profile_name: str | None) -> Session:
    """Make the botocore session that reads AWS's files and finds credentials."""
    from botocore.session import Session as BotocoreSession

    # An empty variable is unset; botocore would take it for a profile or a file of that name.
    profiles = [variable for variable in _PROFILE_VARIABLES if os.environ.get(variable)]
    variables: dict[str, tuple[Any, ...]] = {"profile": (None, profiles, None, None)}
    for name, variable, default in _FILES:
        variables[name] = (None, [variable] if os.environ.get(variable) else [], default, None)
    return BotocoreSession(session_vars=variables, profile=profile_name)
