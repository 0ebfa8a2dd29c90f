"""The links of our docstrings, written where they are used.

A docstring names its AWS page in a ``.. _name:`` target at its end, where it disturbs a reader
least. MyST parses each docstring apart from the page, so that such a target is not found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_TARGET: Final = re.compile(r"^\.\. _(?P<name>[^:\n]+):\s+(?P<url>https:\S+)$", re.MULTILINE)


def write_links(  # noqa: PLR0917  # Sphinx's own signature
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Put each target's URL to its names."""
    del app, what, name, value, options
    text = "\n".join(lines)
    for target in _TARGET.finditer(text):
        # A name of several words may be broken over two lines.
        words = r"\s+".join(map(re.escape, target["name"].split()))
        text = re.sub(rf"`{words}`_(?!_)", f"`{target['name']} <{target['url']}>`__", text)
    lines[:] = _TARGET.sub("", text).split("\n")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Take part in the processing of docstrings, ahead of napoleon."""
    app.connect("autodoc-process-docstring", write_links, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
