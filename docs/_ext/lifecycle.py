"""A session's life, drawn from the endpoint's own table when the pages are built.

The states that a session goes through when all goes well stand below each other, as they do in
the table; the state of a failure stands to the right of the one that it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from svg import BOX_HEIGHT, LINE_HEIGHT, arrow, box, drawing, text

from nimble_stop.local.studio.lifecycle import TRANSITIONS

if TYPE_CHECKING:
    from nimble_stop.local.api.operation_table import Transition

_NAME: Final = "lifecycle"
_WIDTH: Final = 372
_BOX_WIDTH: Final = 152
_MAIN: Final = 34
_MIDDLE: Final = _MAIN + _BOX_WIDTH / 2
_FAILED_WIDTH: Final = 128
_FAILED: Final = _WIDTH - 2 - _FAILED_WIDTH
_STEP: Final = 66
_TEXT_GAP: Final = 9
_LINE_LETTERS: Final = 40


def draw() -> str:
    """Draw the whole life."""
    places: dict[str, float] = {}
    parts: list[str] = []
    y = 8.0
    for operation, change in TRANSITIONS.items():
        y = _add_transition(operation, change, places, parts, y)
    title = "The states of a streaming session and the operations that lead from one to the next"
    return drawing(_NAME, title, _WIDTH, y - (_STEP - BOX_HEIGHT) + 8, parts)


def _add_transition(
    operation: str, change: Transition, places: dict[str, float], parts: list[str], y: float
) -> float:
    """Draw one operation below what is there, and give the place for the next."""
    before = next(reversed(places), None)
    if [before] == [str(state) for state in change.allowed_from]:
        parts.append(_arrow_down(y - _STEP + BOX_HEIGHT, y))
        label = y - (_STEP - BOX_HEIGHT) / 2 + 3
        parts.append(text(operation, _MIDDLE + _TEXT_GAP, label))
    else:
        y = _add_origins(operation, change, parts, y)
    parts.append(box(change.in_progress, _MAIN, y, _BOX_WIDTH, "passing"))
    parts.append(box(change.failed, _FAILED, y, _FAILED_WIDTH, "failed"))
    middle = y + BOX_HEIGHT / 2
    parts.append(arrow(_NAME, f"M{_MAIN + _BOX_WIDTH} {middle:g} H{_FAILED - 2}", "may-fail"))
    places[change.in_progress] = y
    y += _STEP
    if change.done in places:
        back = places[change.done] + BOX_HEIGHT / 2
        parts.append(
            arrow(
                _NAME,
                f"M{_MAIN} {middle:g} H14 Q8 {middle:g} 8 {middle - 6:g} V{back + 6:g} "
                f"Q8 {back:g} 14 {back:g} H{_MAIN - 2}",
            )
        )
        return y
    parts.append(_arrow_down(y - _STEP + BOX_HEIGHT, y))
    parts.append(box(change.done, _MAIN, y, _BOX_WIDTH, "lasting"))
    places[change.done] = y
    return y + _STEP


def _add_origins(operation: str, change: Transition, parts: list[str], y: float) -> float:
    """Name the states that an operation is allowed in, where an arrow from each would confuse."""
    lines = [operation]
    for state in sorted(change.allowed_from):
        lead = "from " if len(lines) == 1 else ""
        if lead or len(lines[-1]) + len(state) > _LINE_LETTERS:
            lines[-1] += "" if lead else ","
            lines.append(f"{lead or '     '}{state}")
        else:
            lines[-1] += f", {state}"
    top = max(y - (_STEP - BOX_HEIGHT) + 16 if change.allowed_from else y, 8)
    below = top + len(lines) * LINE_HEIGHT
    parts += [
        text(line, _MAIN + 4, top + 10 + LINE_HEIGHT * place) for place, line in enumerate(lines)
    ]
    parts.append(_arrow_down(below + 2, below + 26))
    return below + 26


def _arrow_down(start: float, end: float) -> str:
    return arrow(_NAME, f"M{_MIDDLE:g} {start:g} V{end - 2:g}")
