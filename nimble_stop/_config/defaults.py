"""The numbers that a client begins with, each with its reason.

They have a module of their own because the clients' signatures show them, and must not load what
uses them.
"""

from __future__ import annotations

from typing import Final

# A healthy service is connected to within a second, and answers a stop within a few.
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 20.0
# Room for three attempts that all time out, and for the delays between them.
DEADLINE_SECONDS: Final = 90.0
# Connections kept open for reuse; as many as botocore keeps.
MAX_CONNECTIONS: Final = 10
# AWS's own waiter looks every 5 seconds, 180 times.
WAIT_SECONDS: Final = 900.0
POLL_SECONDS: Final = 5.0
# Stops in flight at the same time; a studio's service quota allows a few a second.
MAX_CONCURRENCY: Final = 8
