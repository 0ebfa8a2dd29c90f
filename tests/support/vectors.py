"""Requests as botocore 1.34.144 made them, the last release that knew the service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs
from botocore.credentials import Credentials

from tests.support.scripted import DATA

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE: Final[dict[str, Any]] = json.loads((DATA / "botocore_requests.json").read_text())

EPOCH: Final[int] = _FILE["epoch"]
"""When all of them were signed, in seconds since 1970."""

REGION: Final[str] = _FILE["region"]
"""The region that they were signed for."""


@attrs.frozen
class Vector:
    """One request, and what it was made of."""

    operation: str
    endpoint: str
    arguments: Mapping[str, str | None]
    client_token: str | None
    credentials: Credentials
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        return ascii(self.url)[1:80]


def _read(entry: dict[str, Any]) -> Vector:
    return Vector(
        operation=entry["operation"],
        endpoint=entry["endpoint"],
        arguments={name: entry[name] for name in ("studio_id", "session_id", "retention")},
        client_token=entry["client_token"],
        credentials=Credentials(*_FILE["credentials"][entry["credentials"]]),
        method=entry["method"],
        url=entry["url"],
        headers=entry["headers"],
        body=entry["body"].encode(),
    )


VECTORS: Final = [_read(entry) for entry in _FILE["requests"]]
