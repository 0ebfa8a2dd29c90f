"""What the endpoint is like unless it is told otherwise: each default, with its reason.

They have a module of their own because `LocalNimble` and ``nimble-stop serve`` both show them.
"""

from __future__ import annotations

from typing import Final

from nimble_stop.local.api.signature import AccessKey

__all__ = [
    "ACCESS_KEY",
    "DB",
    "HOST",
    "JOURNAL_SIZE",
    "MAX_SKEW_SECONDS",
    "PORT",
    "REGION_NAME",
    "TRANSITION_SECONDS",
]

# It is no secret: it opens nothing else.
ACCESS_KEY: Final = AccessKey("LOCALNIMBLE", "local-nimble-secret-access-key")
# SQLite's name for a database that is gone with the process: trying things out leaves nothing.
DB: Final = ":memory:"
# Nobody else can reach it there.
HOST: Final = "127.0.0.1"
# Enough for the tests of a day, in a few tens of megabytes.
JOURNAL_SIZE: Final = 20_000
# AWS accepts signatures that are at most so old.
MAX_SKEW_SECONDS: Final = 900.0
# The system chooses one that is free, so endpoints never get into each other's way.
PORT: Final = 0
# One of those in which AWS offered the API.
REGION_NAME: Final = "us-west-2"
# The next request finds a transition completed, so tests need not wait.
TRANSITION_SECONDS: Final = 0.0
