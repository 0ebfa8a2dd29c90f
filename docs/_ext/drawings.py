"""Drawings that are part of their pages, so that they take the pages' colours.

``{drawing}`` shows one from a file beside the page. The others are made from the code whenever the
pages are built: ``{lifecycle-drawing}``, ``{floors-drawing}`` and ``{trace-drawing}``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import floors
import lifecycle
import trace_drawing
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class Drawing(SphinxDirective):
    """A drawing in a file beside the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Put the drawing in the directive's place."""
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        return _on_page(Path(path).read_text(encoding="utf-8"))


def _directive(draw: Callable[[], str]) -> type[SphinxDirective]:
    """Make a directive whose SVG a function draws."""

    class FromCode(SphinxDirective):
        def run(self) -> list[nodes.Node]:
            return _on_page(draw())

    return FromCode


def _on_page(svg: str) -> list[nodes.Node]:
    return [nodes.raw("", f'<div class="drawing">{svg}</div>', format="html")]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make the directives known."""
    app.add_directive("drawing", Drawing)
    app.add_directive("lifecycle-drawing", _directive(lifecycle.draw))
    app.add_directive("floors-drawing", _directive(floors.draw))
    app.add_directive("trace-drawing", _directive(trace_drawing.draw))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
