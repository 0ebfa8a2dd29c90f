"""The files of the live page, read from the package.

Only the types that are listed here are served, so that nothing else in the folder can get out.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from nimble_stop.local.admin.replies import Content, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["INDEX", "read_page_file"]

INDEX: Final = "index.html"
"""The file that is the page itself."""

_FOLDER: Final = files("nimble_stop.local.web") / "page"
_MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
    }
)


def read_page_file(name: str) -> Content:
    """Read one file of the page.

    Args:
        name: Its name, such as ``style.css``.

    Raises:
        Problem: There is no such file.
    """
    # The name is compared with what is there and never joined to a path.
    for entry in _FOLDER.iterdir():
        if entry.name == name and PurePosixPath(name).suffix in _MEDIA_TYPES:
            content = entry.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:32]
            return Content(
                content=content,
                headers={
                    "Content-Type": _MEDIA_TYPES[PurePosixPath(name).suffix],
                    "ETag": f'"{digest}"',
                },
            )
    names = sorted(
        entry.name
        for entry in _FOLDER.iterdir()
        if PurePosixPath(entry.name).suffix in _MEDIA_TYPES
    )
    raise Problem(404, f"The page has no file {name!r}; it has {', '.join(names)}.")
