from __future__ import annotations

import logging
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from nimble_stop import RetryPolicy, Runtime, Timeouts
from nimble_stop._config.config import resolve
from nimble_stop._config.options import Options
from nimble_stop.exceptions import ConfigurationError, RequestValidationError
from tests.support.settings import Setup, resolved

if TYPE_CHECKING:
    from pathlib import Path


# Where a region may come from, first things first: argument, environment, files.
REGION_SOURCES = [
    ("argument", "ap-southeast-2"),
    ("AWS_REGION", "eu-west-1"),
    ("AWS_DEFAULT_REGION", "eu-central-1"),
    ("profile", "ca-central-1"),
]
REGION_CASES = [
    (present, max(present, key=lambda source: -REGION_SOURCES.index(source)))
    for mask in range(1, 16)
    if (present := [source for bit, source in enumerate(REGION_SOURCES) if mask >> bit & 1])
]


@pytest.mark.parametrize(("present", "winner"), REGION_CASES, ids=str)
def test_region_order(
    present: list[tuple[str, str]], winner: tuple[str, str], setup: Setup
) -> None:
    """The region comes from argument, AWS_REGION, AWS_DEFAULT_REGION, profile, in this order."""
    given = dict(present)
    config = f"[default]\nregion = {given['profile']}\n" if "profile" in given else ""
    setup({name: value for name, value in given.items() if name[0] == "A"}, config=config)

    assert resolve(Options(region_name=given.get("argument"))).region_name == winner[1]


@pytest.mark.parametrize(("present", "winner"), REGION_CASES, ids=str)
def test_botocore_chooses_the_same_region(
    present: list[tuple[str, str]], winner: tuple[str, str], setup: Setup
) -> None:
    """Where botocore has a choice at all, which is without AWS_REGION, it makes the same."""
    given = {name: value for name, value in present if name != "AWS_REGION"}
    config = f"[default]\nregion = {given['profile']}\n" if "profile" in given else ""
    setup({name: value for name, value in given.items() if name[0] == "A"}, config=config)
    session = botocore.session.Session(session_vars={})
    if "argument" in given:
        session.set_config_variable("region", given["argument"])

    theirs = session.get_config_variable("region")
    if theirs is None:
        with pytest.raises(ConfigurationError):
            resolve(Options())
    else:
        assert resolve(Options(region_name=given.get("argument"))).region_name == theirs
        assert theirs == winner[1] or winner[0] == "AWS_REGION"


PROFILES = """
[default]
region = us-east-1
[profile one]
region = eu-west-1
[profile two]
region = eu-west-2
[profile empty]
output = json
"""
# AWS_DEFAULT_PROFILE, AWS_PROFILE, profile_name, and the region that follows.
PROFILE_CASES = [
    (None, None, None, "us-east-1"),
    (None, "one", None, "eu-west-1"),
    ("two", None, None, "eu-west-2"),
    ("two", "one", None, "eu-west-2"),
    ("two", "one", "default", "us-east-1"),
    (None, "two", "one", "eu-west-1"),
    (None, "", None, "us-east-1"),
    ("", "one", None, "eu-west-1"),
    ("", "", None, "us-east-1"),
]


@pytest.mark.parametrize(("first", "second", "argument", "expected"), PROFILE_CASES)
def test_profiles(
    first: str | None, second: str | None, argument: str | None, expected: str, setup: Setup
) -> None:
    """The profile is the argument's or the environment's; an empty variable counts as unset."""
    variables = {"AWS_DEFAULT_PROFILE": first, "AWS_PROFILE": second}
    setup({name: value for name, value in variables.items() if value is not None}, config=PROFILES)

    assert resolve(Options(profile_name=argument)).region_name == expected
    if "" not in (first, second):
        session = botocore.session.Session(profile=argument)
        assert session.get_config_variable("region") == expected


@pytest.mark.parametrize("profile", [None, "empty"])
def test_no_region(profile: str | None, setup: Setup) -> None:
    """Without a region the error lists where it was searched, in order, and a way out."""
    setup(config="[profile empty]\noutput = json\n")

    with pytest.raises(ConfigurationError) as failure:
        resolve(Options(profile_name=profile))

    text = str(failure.value)
    sources = ["region_name", "AWS_REGION", "AWS_DEFAULT_REGION", f"'{profile or 'default'}'"]
    places = [text.index(source) for source in sources]
    assert all(earlier < later for earlier, later in pairwise(places))
    assert "for example AWS_REGION=us-west-2." in text
    assert "nimble-stop serve --sample" in text
    assert "nimble_stop.local.LocalNimble" in text


@pytest.mark.parametrize("source", ["region_name", "AWS_REGION", "AWS_DEFAULT_REGION", "profile"])
@pytest.mark.parametrize("region", ["x.evil.com/", "us-west-2#", "us west"])
def test_bad_region(region: str, source: str, setup: Setup) -> None:
    """A region that is none is refused by its source, wherever it comes from."""
    config = f"[default]\nregion = {region}\n" if source == "profile" else ""
    setup({source: region} if source[0] == "A" else {}, config=config)

    named = "region of profile 'default'" if source == "profile" else source
    with pytest.raises(ConfigurationError, match=rf"^{named} is "):
        resolve(Options(region_name=region if source == "region_name" else None))


SERVICES = "services = mine"
ENDPOINT_SOURCES = [
    "argument",
    "AWS_ENDPOINT_URL_NIMBLE",
    "AWS_ENDPOINT_URL",
    "services",
    "profile",
]
ENDPOINT_CASES = [
    [source for bit, source in enumerate(ENDPOINT_SOURCES) if mask >> bit & 1] for mask in range(32)
]


def set_endpoints(present: list[str], setup: Setup, variables: dict[str, str], extra: str) -> None:
    """Write an endpoint into each of the sources."""
    lines = ["[default]", extra]
    if "profile" in present:
        lines.append("endpoint_url = http://profile.example")
    if "services" in present:
        lines += [
            "services = mine",
            "[services mine]",
            "nimble =",
            "  endpoint_url = http://services.example",
        ]
        lines += ["s3 =", "  endpoint_url = http://another.example"]
    given = {name: f"http://{name.lower()}.example" for name in present if name[0] == "A"}
    setup({**given, **variables}, config="\n".join(lines) + "\n")


def argument_of(present: list[str]) -> str | None:
    """Give the endpoint_url argument."""
    return "http://argument.example" if "argument" in present else None


@pytest.mark.parametrize("present", ENDPOINT_CASES, ids="+".join)
def test_endpoint_order(present: list[str], setup: Setup) -> None:
    """The endpoint comes from argument, environment, services section, profile, in this order."""
    set_endpoints(present, setup, {}, "")

    endpoint = resolved(endpoint_url=argument_of(present)).endpoint
    if present:
        assert endpoint.url == f"http://{present[0].lower()}.example"
        assert not endpoint.is_aws
    else:
        assert endpoint.url == "https://nimble.us-west-2.amazonaws.com"
        assert endpoint.is_aws


@pytest.mark.parametrize("by_file", [True, False])
@pytest.mark.parametrize("present", ENDPOINT_CASES, ids="+".join)
def test_ignored_endpoints(present: list[str], setup: Setup, *, by_file: bool) -> None:
    """Configured endpoints can be ignored, all but the argument."""
    variables = {} if by_file else {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    set_endpoints(
        present, setup, variables, "ignore_configured_endpoint_urls = true" if by_file else ""
    )

    url = resolved(endpoint_url=argument_of(present)).endpoint.url
    aws = "https://nimble.us-west-2.amazonaws.com"
    assert url == (argument_of(present) or aws)


@pytest.mark.parametrize("present", [case for case in ENDPOINT_CASES if "argument" not in case])
def test_botocore_chooses_the_same_endpoint(present: list[str], setup: Setup) -> None:
    """Botocore's own provider, which still knows the service, chooses the same endpoint."""
    from botocore.configprovider import ConfiguredEndpointProvider

    set_endpoints(present, setup, {}, "")
    session = botocore.session.Session()
    provider = ConfiguredEndpointProvider(
        session.full_config, session.get_scoped_config(), client_name="nimble"
    )

    endpoint = resolved().endpoint
    assert provider.provide() == (None if endpoint.is_aws else endpoint.url)


def test_empty_variables_are_unset(setup: Setup) -> None:
    """An empty variable counts as unset, each of them."""
    names = """
        AWS_ENDPOINT_URL_NIMBLE AWS_ENDPOINT_URL AWS_REGION AWS_PROFILE AWS_MAX_ATTEMPTS
        AWS_RETRY_MODE AWS_CA_BUNDLE AWS_USE_FIPS_ENDPOINT AWS_USE_DUALSTACK_ENDPOINT
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_DISABLE_CLOCK_SKEW_CORRECTION AWS_SDK_UA_APP_ID
    """
    setup(
        {**dict.fromkeys(names.split(), ""), "AWS_DEFAULT_REGION": "eu-west-1"},
        config="[default]\nendpoint_url = http://profile.example\n",
    )

    config = resolve(Options())
    assert (config.region_name, config.endpoint.host) == ("eu-west-1", "profile.example")
    assert (config.retry, config.ca_bundle, config.app_id) == (RetryPolicy(), None, None)
    assert config.correct_clock_skew


@pytest.mark.parametrize("source", ENDPOINT_SOURCES)
def test_bad_endpoint(source: str, setup: Setup) -> None:
    """A URL that is none is refused by its source, and quoted without user info."""
    bad = "ftp://user:hush@h"
    config = f"[default]\nendpoint_url = {bad}\n" if source == "profile" else ""
    if source == "services":
        config = f"[default]\nservices = m\n[services m]\nnimble =\n  endpoint_url = {bad}\n"
    setup({source: bad} if source[0] == "A" else {}, config=config)
    named = {
        "argument": "endpoint_url",
        "services": r"nimble endpoint_url of \[services m\]",
        "profile": "endpoint_url of profile 'default'",
    }.get(source, source)

    with pytest.raises(ConfigurationError, match=rf"^{named} is no endpoint URL") as failure:
        resolved(endpoint_url=bad if source == "argument" else None)
    assert "'...@h'" in str(failure.value)
    assert "hush" not in str(failure.value)


VARIANTS: list[tuple[dict[str, str], str, str]] = [
    ({"AWS_USE_FIPS_ENDPOINT": "true"}, "", "nimble-fips.us-west-2.amazonaws.com"),
    ({"AWS_USE_FIPS_ENDPOINT": "TRUE"}, "", "nimble-fips.us-west-2.amazonaws.com"),
    (
        {"AWS_USE_FIPS_ENDPOINT": "false"},
        "use_fips_endpoint = true",
        "nimble.us-west-2.amazonaws.com",
    ),
    ({}, "use_fips_endpoint = true", "nimble-fips.us-west-2.amazonaws.com"),
    ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "", "nimble.us-west-2.api.aws"),
    ({}, "use_dualstack_endpoint = true", "nimble.us-west-2.api.aws"),
    (
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        "use_fips_endpoint = true",
        "nimble-fips.us-west-2.api.aws",
    ),
]


@pytest.mark.parametrize(("variables", "line", "host"), VARIANTS)
def test_variants(variables: dict[str, str], line: str, host: str, setup: Setup) -> None:
    """FIPS and dual-stack hosts are chosen by environment or profile."""
    setup(variables, config=f"[default]\n{line}\n")

    assert resolved().endpoint.host == host


@pytest.mark.parametrize("source", ENDPOINT_SOURCES)
@pytest.mark.parametrize("flag", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_variants_of_a_custom_endpoint(flag: str, source: str, setup: Setup) -> None:
    """A custom endpoint has no FIPS or dual-stack variant, wherever it comes from."""
    set_endpoints([source], setup, {flag: "true"}, "")

    with pytest.raises(ConfigurationError, match="exclude each other"):
        resolved(endpoint_url=argument_of([source]))


FLAGS = """
    AWS_USE_FIPS_ENDPOINT AWS_USE_DUALSTACK_ENDPOINT AWS_IGNORE_CONFIGURED_ENDPOINT_URLS
    AWS_DISABLE_CLOCK_SKEW_CORRECTION
"""


@pytest.mark.parametrize("value", ["yes", "1", "on", " true"])
@pytest.mark.parametrize("flag", FLAGS.split())
def test_bad_flags(flag: str, value: str, setup: Setup) -> None:
    """A flag is true or false; anything else is refused by its name."""
    setup({flag: value})

    with pytest.raises(ConfigurationError, match=rf"^{flag} is '{value}'; it must be true or"):
        resolved()


@pytest.mark.parametrize(
    ("variables", "line", "expected"),
    [
        ({}, "", True),
        ({"AWS_DISABLE_CLOCK_SKEW_CORRECTION": "true"}, "", False),
        ({"AWS_DISABLE_CLOCK_SKEW_CORRECTION": "false"}, "", True),
        ({}, "disable_clock_skew_correction = true", False),
        (
            {"AWS_DISABLE_CLOCK_SKEW_CORRECTION": "false"},
            "disable_clock_skew_correction = true",
            True,
        ),
    ],
)
def test_clock_skew(variables: dict[str, str], line: str, setup: Setup, *, expected: bool) -> None:
    """The correction of clock skew is on, unless environment or profile turn it off."""
    setup(variables, config=f"[default]\n{line}\n")

    assert resolved().correct_clock_skew is expected


RETRIES: list[tuple[RetryPolicy | None, dict[str, str], str, int]] = [
    (None, {}, "", 3),
    (None, {"AWS_MAX_ATTEMPTS": "5"}, "", 5),
    (None, {}, "max_attempts = 7", 7),
    (None, {"AWS_MAX_ATTEMPTS": "5"}, "max_attempts = 7", 5),
    (RetryPolicy(max_attempts=2), {"AWS_MAX_ATTEMPTS": "5"}, "max_attempts = 7", 2),
    (None, {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "1"}, "", 1),
    (None, {"AWS_RETRY_MODE": "adaptive"}, "", 3),
    (None, {"AWS_RETRY_MODE": "legacy"}, "", 3),
    (None, {}, "retry_mode = standard\nmax_attempts = 4", 4),
    (RetryPolicy(), {"AWS_RETRY_MODE": "nonsense"}, "max_attempts = x", 3),
]


@pytest.mark.parametrize(("policy", "variables", "lines", "expected"), RETRIES)
def test_retries(
    policy: RetryPolicy | None,
    variables: dict[str, str],
    lines: str,
    expected: int,
    setup: Setup,
) -> None:
    """The attempts in all come from argument, environment or profile."""
    setup(variables, config=f"[default]\n{lines}\n")

    assert resolved(retry=policy).retry == RetryPolicy(max_attempts=expected)


@pytest.mark.parametrize(
    ("variables", "line", "named"),
    [
        *(
            ({"AWS_MAX_ATTEMPTS": value}, "", "AWS_MAX_ATTEMPTS")
            for value in ("0", "-1", "x", "1.5")
        ),
        ({}, "max_attempts = many", "max_attempts of profile 'default'"),
        ({"AWS_RETRY_MODE": "fast"}, "", "AWS_RETRY_MODE"),
        ({}, "retry_mode = fast", "retry_mode of profile 'default'"),
    ],
)
def test_bad_retries(variables: dict[str, str], line: str, named: str, setup: Setup) -> None:
    """A number of attempts or a mode that is none is refused by its source."""
    setup(variables, config=f"[default]\n{line}\n")

    with pytest.raises(ConfigurationError, match=rf"^{named} is '.*'; it must be"):
        resolved()


def test_timeouts() -> None:
    """A plain number of seconds stands for both parts of an attempt."""
    assert resolved(timeout=7).timeouts == Timeouts(connect=7.0, read=7.0)
    assert resolved(timeout=Timeouts(read=1)).timeouts == Timeouts(connect=5.0, read=1.0)
    assert resolved().timeouts == Timeouts()


BAD_OPTIONS: list[tuple[str, Any]] = [
    *(("timeout", value) for value in (0, -1, "5", None, float("inf"), True, (1, 2))),
    *(("deadline", value) for value in (0, -1, "5", None, float("nan"), True)),
    *(("max_connections", value) for value in (0, -1, 1.5, "5", None)),
    *(("retry", value) for value in (3, "standard", {"max_attempts": 3})),
    *(("region_name", value) for value in (5, b"us-west-2", ["us-west-2"])),
    *(("endpoint_url", value) for value in (5, b"http://h", ["http://h"])),
    *(("profile_name", value) for value in (5, b"default")),
    *(("ca_bundle", value) for value in (5, ["a"])),
    *(("runtime", value) for value in (5, "now")),
]


@pytest.mark.parametrize(("name", "value"), BAD_OPTIONS, ids=str)
def test_bad_options(name: str, value: Any) -> None:  # noqa: ANN401 - whatever a caller passes
    """An argument of a wrong type or range is refused by its name, never a TypeError."""
    with pytest.raises(RequestValidationError, match=rf"^{name} must be "):
        resolved(**{name: value})


def test_ca_bundle(setup: Setup, tmp_path: Path) -> None:
    """The CA bundle comes from argument, environment or profile, a file or a directory."""
    for name in ("argument", "variable", "profile"):
        (tmp_path / name).mkdir()
    setup(config=f"[default]\nca_bundle = {tmp_path / 'profile'}\n")
    assert resolved().ca_bundle == str(tmp_path / "profile")
    setup({"AWS_CA_BUNDLE": str(tmp_path / "variable")})
    assert resolved().ca_bundle == str(tmp_path / "variable")
    assert resolved(ca_bundle=tmp_path / "argument").ca_bundle == str(tmp_path / "argument")
    assert resolved(ca_bundle=str(tmp_path)).ca_bundle == str(tmp_path)


@pytest.mark.parametrize("source", ["ca_bundle", "AWS_CA_BUNDLE"])
def test_missing_ca_bundle(source: str, setup: Setup) -> None:
    """A CA bundle that does not exist is refused by its source."""
    setup({source: "/nowhere.pem"} if source[0] == "A" else {})

    with pytest.raises(ConfigurationError, match=rf"^{source} is '/nowhere.pem', which does not"):
        resolved(ca_bundle="/nowhere.pem" if source[0] == "c" else None)


def test_app_id(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """The application's name comes from environment or profile; a long one is warned of."""
    setup(config="[default]\nsdk_ua_app_id = profile\n")
    assert resolved().app_id == "profile"
    setup({"AWS_SDK_UA_APP_ID": "variable"}, config="[default]\nsdk_ua_app_id = profile\n")
    assert resolved().app_id == "variable"
    assert caplog.record_tuples == []
    setup({"AWS_SDK_UA_APP_ID": "x" * 51})
    assert resolved().app_id == "x" * 51
    assert [level for _, level, _ in caplog.record_tuples] == [logging.WARNING]


def test_environment_is_read_once(setup: Setup) -> None:
    """A configuration does not change with the environment."""
    setup({"AWS_REGION": "eu-west-1"})
    config = resolve(Options(runtime=Runtime()))
    setup({"AWS_REGION": "eu-west-2"})

    assert config.region_name == "eu-west-1"


# AWS's files


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
