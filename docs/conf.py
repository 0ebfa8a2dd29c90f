"""How the documentation is built: Sphinx with furo and MyST."""

import nimble_stop

project = "nimble_stop"
author = "The nimble_stop developers"
project_copyright = "2026, the nimble_stop developers"
version = release = nimble_stop.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "nimble_stop"
exclude_patterns = ["_build"]
nitpicky = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
default_role = "py:obj"
