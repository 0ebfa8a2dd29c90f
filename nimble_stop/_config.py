"""A client's configuration, resolved once, from arguments, the environment and AWS's files.

For every setting the order is: argument, environment, profile, default. An empty environment
variable counts as unset. botocore reads the files.
https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
"""

from __future__ import annotations

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from nimble_stop._arguments import checked_count, checked_seconds
from nimble_stop._defaults import (
    CONNECT_SECONDS,
    DEADLINE_SECONDS,
    MAX_CONNECTIONS,
    READ_SECONDS,
)
from nimble_stop._endpoint import Endpoint, aws_endpoint, checked_region, parse_endpoint
from nimble_stop._retry import RetryPolicy
from nimble_stop._runtime import Runtime
from nimble_stop.exceptions import ConfigurationError, RequestValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.session import Session

_logger = logging.getLogger("nimble_stop")

_LONGEST_APP_ID: Final = 50
# botocore knows only the second of these; AWS's other SDKs read the first.
_REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
_PROFILE_VARIABLES: Final = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
_CONFIG_FILE: Final = ("AWS_CONFIG_FILE", "~/.aws/config")
_CREDENTIALS_FILE: Final = ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
# What botocore calls each of them, the variables it reads, and the default.
_SESSION_VARIABLES: Final = (
    ("profile", _PROFILE_VARIABLES, None),
    ("config_file", _CONFIG_FILE[:1], _CONFIG_FILE[1]),
    ("credentials_file", _CREDENTIALS_FILE[:1], _CREDENTIALS_FILE[1]),
)
_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_NIMBLE", "AWS_ENDPOINT_URL")
_RETRY_MODES: Final = ("legacy", "standard", "adaptive")


def _seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    checked_seconds(attribute.name, value)


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long one attempt may take.

    Args:
        connect: Seconds for a new connection: name lookup, TCP, proxy and TLS together.
        read: Seconds from then on until the last byte of the answer.

    Raises:
        RequestValidationError: A value is not a number of seconds greater than 0.
    """

    connect: float = attrs.field(default=CONNECT_SECONDS, validator=_seconds)
    read: float = attrs.field(default=READ_SECONDS, validator=_seconds)


DEFAULT_TIMEOUTS: Final = Timeouts()


@attrs.frozen(kw_only=True)
class Options:
    """What a client was asked for. The client classes say what each one means."""

    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None
    timeout: Timeouts | float = DEFAULT_TIMEOUTS
    deadline: float = DEADLINE_SECONDS
    retry: RetryPolicy | None = None
    max_connections: int = MAX_CONNECTIONS
    ca_bundle: str | os.PathLike[str] | None = None
    runtime: Runtime = attrs.field(factory=Runtime)


# Options whose type nothing else checks.
_TYPES: Final = (
    ("region_name", (str,), "a string"),
    ("profile_name", (str,), "a string"),
    ("endpoint_url", (str,), "a string"),
    ("retry", (RetryPolicy,), "a RetryPolicy"),
    ("ca_bundle", (str, os.PathLike), "a path"),
    ("runtime", (Runtime,), "a Runtime"),
)


@attrs.frozen(kw_only=True)
class Config:
    """What a client works with; nothing here is secret.

    Args:
        region_name: The region that requests are signed for.
        endpoint: Where they go.
        timeouts: How long one attempt may take.
        deadline: How many seconds a call may take in all.
        retry: How failed attempts are repeated.
        max_connections: How many connections are kept open for reuse.
        ca_bundle: A file or directory of certificates to trust; None for certifi's.
        correct_clock_skew: Whether signatures follow the service's clock.
        app_id: What the user agent names the application, or None.
        runtime: Clocks, sleep, randomness and ids.
    """

    region_name: str
    endpoint: Endpoint
    timeouts: Timeouts
    deadline: float
    retry: RetryPolicy
    max_connections: int
    ca_bundle: str | None
    correct_clock_skew: bool
    app_id: str | None
    runtime: Runtime


def resolve(options: Options) -> Config:
    """Resolve a client's configuration.

    Raises:
        ConfigurationError: A setting is missing or invalid; the message says where it was looked
            for.
        RequestValidationError: An argument has the wrong type or range.
    """
    _check_types(options)
    settings = _Settings(options.profile_name)
    region_name = _region_name(options, settings)
    return Config(
        region_name=region_name,
        endpoint=_endpoint(options, settings, region_name),
        timeouts=_timeouts(options.timeout),
        deadline=checked_seconds("deadline", options.deadline),
        retry=_retry(options.retry, settings),
        max_connections=checked_count("max_connections", options.max_connections),
        ca_bundle=_ca_bundle(options, settings),
        correct_clock_skew=not settings.flag(
            "AWS_DISABLE_CLOCK_SKEW_CORRECTION", "disable_clock_skew_correction"
        ),
        app_id=_app_id(settings),
        runtime=options.runtime,
    )


def adjusted(config: Config, options: Options) -> Config:
    """Give the configuration with the options that a copy of a client may change."""
    _check_types(options)
    return attrs.evolve(
        config,
        timeouts=_timeouts(options.timeout),
        deadline=checked_seconds("deadline", options.deadline),
        retry=options.retry or config.retry,
    )


def _check_types(options: Options) -> None:
    """Refuse what could only fail later, and in other words."""
    for name, kinds, label in _TYPES:
        value: object = getattr(options, name)
        if value is not None and not isinstance(value, kinds):
            raise RequestValidationError(
                f"{name} must be {label} or None, not {type(value).__name__}."
            )


def make_session(profile_name: str | None) -> Session:
    """Make the botocore session that reads AWS's files and finds credentials."""
    from botocore.session import Session as BotocoreSession

    # An empty variable is unset; botocore would take it for a profile or a file of that name.
    variables = {
        name: (None, [variable for variable in names if os.environ.get(variable)], default, None)
        for name, names, default in _SESSION_VARIABLES
    }
    return BotocoreSession(session_vars=variables, profile=profile_name)


@attrs.frozen
class _Found:
    """A setting's value and where it came from."""

    value: str
    source: str


class _Settings:
    """The environment and the profile, side by side."""

    def __init__(self, profile_name: str | None) -> None:
        self._profile_name = profile_name

    def find(self, variables: tuple[str, ...], key: str) -> _Found | None:
        """Look in the environment, then in the profile."""
        for name in variables:
            if value := os.environ.get(name):
                return _Found(value, name)
        value = self._profile.get(key)
        if isinstance(value, str) and value:
            return _Found(value, f"{key} of {self.profile_label}")
        return None

    def flag(self, variable: str, key: str) -> bool:
        """Look for a setting that is true or false."""
        found = self.find((variable,), key)
        if found is None or found.value.lower() == "false":
            return False
        if found.value.lower() == "true":
            return True
        raise ConfigurationError(f"{found.source} is {found.value!r}; it must be true or false.")

    def service_endpoint_url(self) -> _Found | None:
        """Look for the endpoint in the ``[services ...]`` section that the profile names."""
        name = self._profile.get("services")
        if not name:
            return None
        section = self._full_config.get("services", {}).get(name)
        if section is None:
            raise ConfigurationError(
                f"{self.profile_label} names the services section {name!r}, which does not exist."
            )
        nimble: object = section.get("nimble")
        if not isinstance(nimble, dict):
            return None
        value = cast("dict[str, str]", nimble).get("endpoint_url")
        return _Found(value, f"nimble endpoint_url of [services {name}]") if value else None

    @property
    def profile_label(self) -> str:
        """What error messages call the profile."""
        name = self._profile_name
        for variable in _PROFILE_VARIABLES:
            name = name or os.environ.get(variable)
        return f"profile {name or 'default'!r}"

    @cached_property
    def _profile(self) -> Mapping[str, Any]:
        return self._read(lambda session: session.get_scoped_config())

    @cached_property
    def _full_config(self) -> Mapping[str, Any]:
        return self._read(lambda session: session.full_config)

    @cached_property
    def _session(self) -> Session | None:
        """The botocore session, if there is a file for it to read: importing it takes time."""
        named = self._profile_name or any(os.environ.get(name) for name in _PROFILE_VARIABLES)
        files = (
            os.environ.get(variable) or default
            for variable, default in (_CONFIG_FILE, _CREDENTIALS_FILE)
        )
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
            raise ConfigurationError(
                f"AWS's configuration files cannot be used: {error} Correct AWS_PROFILE, "
                "profile_name or the file."
            ) from error


def _region_name(options: Options, settings: _Settings) -> str:
    if options.region_name is not None:
        return checked_region(options.region_name, "region_name")
    found = settings.find(_REGION_VARIABLES, "region")
    if found is None:
        raise ConfigurationError(
            "There is no region. Looked, in this order, at the argument region_name, at "
            f"{' and '.join(_REGION_VARIABLES)} in the environment, and at region of "
            f"{settings.profile_label}. Set one of them, for example AWS_REGION=us-west-2."
        )
    return checked_region(found.value, found.source)


def _endpoint(options: Options, settings: _Settings, region_name: str) -> Endpoint:
    fips = settings.flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
    dualstack = settings.flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
    custom = _custom_endpoint(options, settings)
    if custom is None:
        return aws_endpoint(region_name, fips=fips, dualstack=dualstack)
    if fips or dualstack:
        raise ConfigurationError(
            f"{custom.source} and {'FIPS' if fips else 'dual-stack'} endpoints exclude each other: "
            "only AWS's own host names have such variants. Unset one of the two."
        )
    return parse_endpoint(custom.value, custom.source)


def _custom_endpoint(options: Options, settings: _Settings) -> _Found | None:
    if options.endpoint_url is not None:
        return _Found(options.endpoint_url, "endpoint_url")
    if settings.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"):
        return None
    for variable in _ENDPOINT_VARIABLES:
        if value := os.environ.get(variable):
            return _Found(value, variable)
    return settings.service_endpoint_url() or settings.find((), "endpoint_url")


def _timeouts(timeout: Timeouts | float) -> Timeouts:
    if isinstance(timeout, Timeouts):
        return timeout
    seconds = checked_seconds("timeout", timeout)
    return Timeouts(connect=seconds, read=seconds)


def _retry(retry: RetryPolicy | None, settings: _Settings) -> RetryPolicy:
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


def _ca_bundle(options: Options, settings: _Settings) -> str | None:
    found = settings.find(("AWS_CA_BUNDLE",), "ca_bundle")
    if options.ca_bundle is not None:
        found = _Found(os.fspath(options.ca_bundle), "ca_bundle")
    if found is not None and not Path(found.value).exists():
        raise ConfigurationError(
            f"{found.source} is {found.value!r}, which does not exist; it must be a file or a "
            "directory of certificates to trust."
        )
    return found.value if found else None


def _app_id(settings: _Settings) -> str | None:
    found = settings.find(("AWS_SDK_UA_APP_ID",), "sdk_ua_app_id")
    if found is None:
        return None
    if len(found.value) > _LONGEST_APP_ID:
        _logger.warning("%s is longer than %d characters.", found.source, _LONGEST_APP_ID)
    return found.value
