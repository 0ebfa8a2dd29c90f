"""How the documentation is built: Sphinx with furo and MyST, and tables drawn from the code."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import nimble_stop

project = "nimble_stop"
author = "The nimble_stop developers"
project_copyright = "2026, the nimble_stop developers"
version = release = nimble_stop.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    # Ours, in _ext: what is made of the code.
    "admin_api",
    "command_line",
    "docstring_links",
    "drawings",
    "signatures",
    "tables",
]
exclude_patterns = ["_build"]
templates_path: list[str] = []
default_role = "py:obj"
nitpicky = True
# What others document, and names of ours that are described in words and not as objects.
nitpick_ignore_regex = [
    (r"py:.*", r"(asyncio|collections|concurrent|datetime|math|os|pytest|time)\..*"),
    (r"py:class", r"Credentials|Executor|PathLike|datetime"),
    (r"py:class", r"Clock|Fault|Store|nimble_stop\._config\.Options"),
    (r"py:class", r"nimble_stop\.local\.faults\.rules\.Fault"),
    # Arguments, which have no place of their own in a page.
    (r"py:obj", r"DEFAULT_KEY|admin|admin_token|code|host"),
]
highlight_language = "text"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"

html_theme = "furo"
html_title = "nimble_stop"
html_static_path = ["_static"]
html_css_files = ["nimble_stop.css"]
html_show_sourcelink = False
