"""Requests as the endpoint receives them."""

from __future__ import annotations

from nimble_stop.local.api.exchange import Exchange
from nimble_stop.local.api.request_target import Target


def exchange(
    *,
    method: str = "GET",
    path: bytes = b"/x",
    query: bytes = b"",
    headers: dict[bytes, list[bytes]],
    body: bytes = b"",
) -> Exchange:
    """Make a request whose target does not matter."""
    made = Exchange(method, path, headers, body)
    made.target = Target(path, query, ())
    return made
