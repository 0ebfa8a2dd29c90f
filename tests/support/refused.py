"""Arguments of a stop that are fine, and others that must be refused, each by its name."""

from __future__ import annotations

from typing import Any

GOOD: dict[str, Any] = {"studio_id": "studio-1", "session_id": "session-1"}
REFUSED: list[dict[str, Any]] = [
    {"studio_id": ""},
    {"studio_id": ".."},
    {"studio_id": None},
    {"session_id": "."},
    {"session_id": "\ud800"},
    {"session_id": b"session-1"},
    {"retention": "KEEP"},
    {"retention": 1},
    {"client_token": ""},
    {"client_token": "a\r\n folded"},
    {"client_token": "a\x00"},
    {"client_token": "x" * 65},
    {"deadline": 0},
    {"deadline": -1},
    {"deadline": "1"},
    {"deadline": float("nan")},
]
