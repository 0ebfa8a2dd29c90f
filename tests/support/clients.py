"""Clients and their parts, ready for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from botocore.credentials import Credentials

from nimble_stop import NimbleClient, RetryPolicy, Timeouts
from nimble_stop._config.config import Config
from nimble_stop._config.endpoint_url import parse_endpoint

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.clock import ManualClock

REGION = "us-west-2"
ACCESS_KEY_ID = "ASIATESTACCESSKEY"
SECRET_ACCESS_KEY = "wJalr/TEST+secret+access+key="
SESSION_TOKEN = "IQoJb3JpZ2luX2VjTEST//session+token=="


def credentials() -> Credentials:
    """Give temporary credentials that open nothing."""
    return Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN)


def make_client(url: str, clock: ManualClock | None = None, **options: Any) -> NimbleClient:  # noqa: ANN401 - a client's own arguments
    """Make a client of an endpoint; it never sleeps when a clock is given."""
    if clock is not None:
        options["runtime"] = clock.runtime
    options.setdefault("credentials", credentials())
    return NimbleClient(endpoint_url=url, region_name=REGION, **options)


def make_config(clock: ManualClock, url: str = "http://127.0.0.1:1", **settings: Any) -> Config:  # noqa: ANN401 - a configuration's own fields
    """Make a client's configuration without asking the environment."""
    config = Config(
        region_name=REGION,
        endpoint=parse_endpoint(url, "the test"),
        timeouts=Timeouts(),
        deadline=90.0,
        retry=RetryPolicy(),
        max_connections=10,
        ca_bundle=None,
        correct_clock_skew=True,
        app_id=None,
        runtime=clock.runtime,
    )
    return attrs.evolve(config, **settings)


def write_aws_files(directory: Path, *, config: str = "", credentials: str = "") -> dict[str, str]:
    """Write AWS's two files, and give the environment variables that name them."""
    files = {"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": credentials}
    variables: dict[str, str] = {}
    for variable, text in files.items():
        path = directory / variable.lower()
        path.write_text(text)
        variables[variable] = str(path)
    return variables
