from __future__ import annotations

import inspect
import math
from typing import Any

import attrs
import pytest

from nimble_stop.exceptions import ConfigurationError
from nimble_stop.local import AccessKey, EndpointOptions, Latency, LocalNimble
from nimble_stop.local.endpoint_options import DEFAULT_KEY


def test_the_endpoint_takes_every_option() -> None:
    """LocalNimble has the options' names and defaults, and no others."""
    offered = inspect.signature(LocalNimble).parameters
    declared = inspect.signature(EndpointOptions).parameters
    assert {name: offered[name].default for name in offered} == {
        name: declared[name].default for name in declared
    }


def test_an_option_of_the_command_line_says_what_it_is() -> None:
    """Whatever the command line can offer has a short description in its metadata."""
    described = {
        field.name for field in attrs.fields(EndpointOptions) if field.metadata.get("help")
    }
    assert described == {
        "db", "host", "port", "transition_seconds", "region_name", "seed", "sample", "faults",
        "admin", "admin_hosts", "admin_token",
    }  # fmt: skip


def test_an_option_that_does_not_exist() -> None:
    """A misspelled option is refused with the one that was probably meant."""
    with pytest.raises(TypeError, match=r"no option 'transition_second'.*'transition_seconds'\?"):
        LocalNimble(transition_second=1)  # type: ignore[call-arg]  # the point of the test


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("db", None, TypeError),
        ("host", 5, TypeError),
        ("port", "80", TypeError),
        ("transition_seconds", "1", TypeError),
        ("transition_seconds", -1, ValueError),
        ("transition_seconds", math.nan, ValueError),
        ("transition_seconds", math.inf, ValueError),
        ("credentials", [], ValueError),
        ("credentials", "AKID", TypeError),
        ("credentials", [("AKID", "secret")], TypeError),
        ("seed", 5, TypeError),
        ("sample", 1, TypeError),
        ("faults", None, TypeError),
        ("faults", [5], TypeError),
        ("admin", None, TypeError),
        ("admin_token", "", ValueError),
        ("admin_token", "a token", ValueError),
        ("admin_token", "tökén", ValueError),
        ("admin_token", 7, TypeError),
        ("clock", 5, TypeError),
        ("max_skew_seconds", -1, ValueError),
        ("max_skew_seconds", math.nan, ValueError),
        ("journal_size", -1, ValueError),
        ("on_request", "print", TypeError),
    ],
)
def test_what_an_option_cannot_be(name: str, value: Any, kind: type[Exception]) -> None:  # noqa: ANN401  # what a user may pass
    """A value that cannot be used is an error that names the option, in one line."""
    with pytest.raises(kind) as caught:
        LocalNimble(**{name: value})
    message = str(caught.value)
    assert (name if value != [5] else "fault must be a fault") in message
    assert len(message) < 200


@pytest.mark.parametrize("region_name", ["", "x y", "us-west-2\n", "123", "a/b", None])
def test_what_is_no_region(region_name: Any) -> None:  # noqa: ANN401  # what a user may pass
    """A region that no client would sign for is refused."""
    with pytest.raises(ConfigurationError, match="region_name"):
        EndpointOptions(region_name=region_name)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1", "studio.example"])  # noqa: S104  # the cases in question
def test_the_admin_api_is_not_open_to_other_machines(host: str) -> None:
    """A host that others reach needs a token, or no admin API."""
    with pytest.raises(ConfigurationError, match="admin_token"):
        EndpointOptions(host=host)
    assert EndpointOptions(host=host, admin=False).host == host
    options = EndpointOptions(host=host, admin_token="t0ken")
    assert "t0ken" not in repr(options)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    """The loopback addresses are nobody else's."""
    assert EndpointOptions(host=host).admin


def test_keys() -> None:
    """One key, several, or the default one."""
    key, other = AccessKey("AKID", "secret"), AccessKey("OTHER", "secret")
    assert EndpointOptions().keys == (DEFAULT_KEY,)
    assert EndpointOptions(credentials=key).keys == (key,)
    assert EndpointOptions(credentials=[key, other]).keys == (key, other)


def test_faults_from_the_start() -> None:
    """Faults that are given as an option are in force as soon as it serves."""
    local = LocalNimble(faults=[Latency(1)])
    assert [rule.fault for rule in local.faults] == [Latency(1)]
