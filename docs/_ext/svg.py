"""The parts that the drawings of these pages are made of.

A drawing is SVG inside the page. It names classes and no colours; the style sheet gives it the
page's colours, light or dark.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

BOX_HEIGHT: Final = 30
LINE_HEIGHT: Final = 15


def drawing(name: str, title: str, width: float, height: float, parts: Iterable[str]) -> str:
    """Put the parts of a drawing together.

    Args:
        name: Its class, and the beginning of the ids in it.
        title: What a screen reader says.
        width: Its width in pixels.
        height: Its height.
        parts: What it consists of.
    """
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" '
        f'aria-label="{escape(title)}" class="{name}">'
        f'<defs><marker id="{name}-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def box(
    words: str, x: float, y: float, width: float, kind: str, *, height: float = BOX_HEIGHT
) -> str:
    """Draw a box with a word of code in its middle."""
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"/>'
        f'<text class="code" x="{x + width / 2:g}" y="{y + height / 2 + 4:g}" '
        f'text-anchor="middle">{escape(words)}</text>'
    )


def bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    """Draw a bar of a chart."""
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}" '
        'rx="2"/>'
    )


def arrow(name: str, steps: str, kind: str = "") -> str:
    """Draw an arrow along a path; the name is the drawing's."""
    return f'<path class="arrow {kind}" d="{steps}" marker-end="url(#{name}-arrow)"/>'


def text(words: str, x: float, y: float, kind: str = "", anchor: str = "start") -> str:
    """Write a line of text."""
    return (
        f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}" xml:space="preserve">'
        f"{escape(words)}</text>"
    )
