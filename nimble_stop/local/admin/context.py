"""What the actions of the admin API act on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from nimble_stop.local.admin.access import Access
    from nimble_stop.local.control import Control

__all__ = ["Context"]


@attrs.frozen(kw_only=True)
class Context:
    """The endpoint, as actions see it.

    Args:
        control: Its sessions, faults, journal, clock and events.
        access: Who may use the admin API.
        port: The port that it listens on.
        started: When it began to serve, by `time.monotonic`.
    """

    control: Control
    access: Access
    port: int
    started: float = attrs.field(factory=time.monotonic)
