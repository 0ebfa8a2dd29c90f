"""The embedded endpoint: a Nimble Studio of your own, to try and to test with.

`LocalNimble` is a real HTTP server for the six operations on streaming sessions. It checks
signatures, keeps its sessions in a store, and lets injected faults happen. Any client of the
original API works with it. It needs the extra ``nimble-stop[local]``.
"""

from __future__ import annotations

from importlib import import_module

try:
    import_module("aiohttp")
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "nimble_stop.local needs aiohttp; install it with: pip install 'nimble-stop[local]'",
        name="aiohttp",
    ) from _error

from nimble_stop.local.api.exchange import RequestRecord
from nimble_stop.local.api.signature import AccessKey
from nimble_stop.local.endpoint import LocalNimble
from nimble_stop.local.endpoint_options import EndpointOptions
from nimble_stop.local.environment import Environment, EnvironmentFormat
from nimble_stop.local.faults import kinds
from nimble_stop.local.faults.fault_file import load_faults
from nimble_stop.local.faults.kinds import *  # noqa: F403  # a new fault is public by itself
from nimble_stop.local.faults.rules import Fault, FaultRule
from nimble_stop.local.journal import Journal
from nimble_stop.local.storage.store import Sessions

__all__: list[str] = [
    "AccessKey",
    "EndpointOptions",
    "Environment",
    "EnvironmentFormat",
    "Fault",
    "FaultRule",
    "Journal",
    "LocalNimble",
    "RequestRecord",
    "Sessions",
    "load_faults",
]
__all__ += kinds.__all__
