"""The spans of a night's run, drawn as they were recorded when the pages were built.

The run is ``night_run.py``. Calls and attempts that failed have the colour of failures.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from svg import bar, drawing, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM: Final = Path(__file__).with_name("night_run.py")
_NAME: Final = "trace"
_WIDTH: Final = 372
_BARS: Final = 204
_ROW: Final = 22
_BAR_HEIGHT: Final = 12
_INDENT: Final = 12
_TOP: Final = 26
_LEAST_BAR: Final = 2
_SUCCESS: Final = range(200, 300)


def record() -> list[dict[str, Any]]:
    """Make the run, and give its spans."""
    ran = subprocess.run(  # noqa: S603 - a program of ours
        [sys.executable, str(_PROGRAM)],
        cwd=_PROGRAM.parents[2],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def draw() -> str:
    """Draw a line for each span, below its parent."""
    spans = sorted(record(), key=lambda span: span["start_time"])
    rows = list(_rows(spans, None, 0))
    start = min(_time(span["start_time"]) for span in spans)
    length = max(_time(span["end_time"]) for span in spans) - start
    scale = (_WIDTH - 4 - _BARS) / length
    parts = [
        text("0", _BARS, 14, "quiet"),
        text(f"{length * 1000:.0f} ms", _WIDTH - 4, 14, "quiet", "end"),
    ]
    for number, (span, depth) in enumerate(rows):
        y = _TOP + number * _ROW
        x = _BARS + (_time(span["start_time"]) - start) * scale
        width = max((_time(span["end_time"]) - _time(span["start_time"])) * scale, _LEAST_BAR)
        kind = "failed" if _failed(span) else "attempt" if _is_attempt(span) else "span"
        parts += [
            text(_label(span), 2 + depth * _INDENT, y + 11, "code"),
            bar(x, y + 1, width, _BAR_HEIGHT, kind),
        ]
    title = "The spans of a run over three sessions: " + ", ".join(_label(span) for span, _ in rows)
    return drawing(_NAME, title, _WIDTH, _TOP + len(rows) * _ROW, parts)


def _rows(
    spans: list[dict[str, Any]], parent: str | None, depth: int
) -> Iterator[tuple[dict[str, Any], int]]:
    """Give each span behind its parent, and how many are above it."""
    for span in spans:
        if span["parent_id"] == parent:
            yield span, depth
            yield from _rows(spans, span["context"]["span_id"], depth + 1)


def _label(span: dict[str, Any]) -> str:
    if _is_attempt(span):
        return f"{span['name']} {_status(span) or 'no answer'}"
    name = re.sub(r".*\.|StreamingSessions?", "", span["name"])
    return f"{name} {span['attributes'].get('nimble_stop.session_id', '')}".strip()


def _failed(span: dict[str, Any]) -> bool:
    if _is_attempt(span):
        return _status(span) not in _SUCCESS
    return bool(span["status"]["status_code"] == "ERROR")


def _status(span: dict[str, Any]) -> int | None:
    attributes = span["attributes"]
    status: int | None = attributes.get("http.status_code") or attributes.get(
        "http.response.status_code"
    )
    return status


def _is_attempt(span: dict[str, Any]) -> bool:
    """Whether a span is one of the HTTP client's."""
    return "." not in span["name"]


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
