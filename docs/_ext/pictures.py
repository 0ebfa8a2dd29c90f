"""Pictures that are part of their pages, so that they take the pages' colours.

One is in a file. The other, a session's life, is drawn from the endpoint's own table when the pages
are built: the states that a session goes through when all goes well stand below each other in the
order of the table; the state of a failure stands to the right of the one that it ends.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from nimble_stop.local.studio.lifecycle import TRANSITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

    from nimble_stop.local.studio.lifecycle import Transition

_WIDTH: Final = 372
_BOX_WIDTH: Final = 152
_BOX_HEIGHT: Final = 30
_MAIN: Final = 34
_FAILED: Final = _WIDTH - 2 - 128
_FAILED_WIDTH: Final = 128
_STEP: Final = 66
_LINE: Final = 15
_TEXT_GAP: Final = 9


def draw() -> str:
    """Draw the whole life as SVG."""
    places: dict[str, float] = {}
    drawn: list[str] = []
    y = 8.0
    for change in TRANSITIONS.values():
        y = _add_transition(change, places, drawn, y)
    height = y - (_STEP - _BOX_HEIGHT) + 8
    title = "The states of a streaming session and the operations that lead from one to the next"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}" role="img" '
        f'aria-label="{title}" class="lifecycle">'
        '<defs><marker id="lifecycle-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
        f"{''.join(drawn)}</svg>"
    )


def _add_transition(
    change: Transition, places: dict[str, float], drawn: list[str], y: float
) -> float:
    """Draw one operation below what is there, and give the place for the next."""
    before = next(reversed(places), None)
    if [before] == [str(state) for state in change.allowed_from]:
        drawn.extend(_arrow_down(y - _STEP + _BOX_HEIGHT, y))
        drawn.extend(_label(y - (_STEP - _BOX_HEIGHT) / 2, [change.operation]))
    else:
        y = _add_origins(change, drawn, y)
    drawn.extend(_box(change.in_progress, _MAIN, y, _BOX_WIDTH, "passing"))
    drawn.extend(_box(change.failed, _FAILED, y, _FAILED_WIDTH, "failed"))
    middle = y + _BOX_HEIGHT / 2
    drawn.append(_path(f"M{_MAIN + _BOX_WIDTH} {middle:g} H{_FAILED - 2}", "may-fail"))
    places[change.in_progress] = y
    y += _STEP
    if change.done in places:
        back = places[change.done] + _BOX_HEIGHT / 2
        drawn.append(
            _path(
                f"M{_MAIN} {middle:g} H14 Q8 {middle:g} 8 {middle - 6:g} V{back + 6:g} "
                f"Q8 {back:g} 14 {back:g} H{_MAIN - 2}"
            )
        )
        return y
    drawn.extend(_arrow_down(y - _STEP + _BOX_HEIGHT, y))
    drawn.extend(_box(change.done, _MAIN, y, _BOX_WIDTH, "lasting"))
    places[change.done] = y
    return y + _STEP


def _add_origins(change: Transition, drawn: list[str], y: float) -> float:
    """Name the states that an operation is allowed in, where an arrow from each would confuse."""
    lines = [change.operation]
    for state in sorted(change.allowed_from):
        lead = "from " if len(lines) == 1 else ""
        if lead or len(lines[-1]) + len(state) > 40:  # noqa: PLR2004
            lines[-1] += "" if lead else ","
            lines.append(f"{lead or '     '}{state}")
        else:
            lines[-1] += f", {state}"
    top = y - (_STEP - _BOX_HEIGHT) + 16 if change.allowed_from else y
    top = max(top, 8)
    below = top + len(lines) * _LINE
    drawn.extend(
        _text(line, _MAIN + 4, top + 10 + _LINE * place) for place, line in enumerate(lines)
    )
    drawn.extend(_arrow_down(below + 2, below + 26))
    return below + 26


def _box(text: str, x: float, y: float, width: float, kind: str) -> Iterator[str]:
    size = f'width="{width}" height="{_BOX_HEIGHT}" rx="5"'
    yield f'<rect class="{kind}" x="{x:g}" y="{y:g}" {size}/>'
    yield (
        f'<text class="state" x="{x + width / 2:g}" y="{y + _BOX_HEIGHT / 2 + 4:g}" '
        f'text-anchor="middle">{escape(text)}</text>'
    )


def _arrow_down(start: float, end: float) -> Iterator[str]:
    yield _path(f"M{_MAIN + _BOX_WIDTH / 2:g} {start:g} V{end - 2:g}")


def _path(steps: str, kind: str = "") -> str:
    return f'<path class="arrow {kind}" d="{steps}" marker-end="url(#lifecycle-arrow)"/>'


def _label(y: float, lines: list[str]) -> Iterator[str]:
    for place, line in enumerate(lines):
        yield _text(line, _MAIN + _BOX_WIDTH / 2 + _TEXT_GAP, y + 3 + place * _LINE)


def _text(text: str, x: float, y: float) -> str:
    return f'<text x="{x:g}" y="{y:g}" xml:space="preserve">{escape(text)}</text>'


def _on_page(svg: str) -> list[nodes.Node]:
    return [nodes.raw("", f'<div class="picture">{svg}</div>', format="html")]


class LifecyclePicture(SphinxDirective):
    """The life of a session."""

    def run(self) -> list[nodes.Node]:
        """Put the picture in the directive's place."""
        return _on_page(draw())


class Picture(SphinxDirective):
    """A picture in a file beside the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Put the picture in the directive's place."""
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        return _on_page(Path(path).read_text(encoding="utf-8"))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make the directives known."""
    app.add_directive("lifecycle-picture", LifecyclePicture)
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
