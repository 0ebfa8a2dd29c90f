"""The defaults that attrs makes anew for each value, written as what they make.

attrs shows such a default as ``NOTHING``, which says to a reader that there is none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def show_defaults(  # noqa: PLR0917  # Sphinx's own signature
    app: Sphinx,
    what: str,
    name: str,
    value: object,
    options: object,
    signature: str,
    returns: str,
) -> tuple[str, str] | None:
    """Write what each factory makes in the place of ``NOTHING``."""
    del app, what, name, options
    if not signature or not isinstance(value, type) or not attrs.has(value):
        return None
    for field in attrs.fields(value):
        if isinstance(field.default, attrs.Factory):
            default = repr(field.default.factory())
            signature = re.sub(
                rf"(\b{field.alias}: [^=]*=) NOTHING", rf"\g<1> {default}", signature
            )
    return signature, returns


def setup(app: Sphinx) -> ExtensionMetadata:
    """Take part in the writing of signatures."""
    app.connect("autodoc-process-signature", show_defaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
