"""Defaults in signatures, written as a reader would write them.

attrs shows a default that it makes anew for each value as ``NOTHING``, which says that there is
none. A function is shown by its ``repr``.
"""

from __future__ import annotations

import inspect
import re
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any

import attrs
from sphinx.util.inspect import object_description

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Write each default so that a reader understands it."""
    del app, what, name, options
    if not signature or not callable(value):
        return None
    for parameter in _parameters(value).values():
        written = _written(parameter.default)
        if written is not None:
            signature = signature.replace(object_description(parameter.default), written)
    if isinstance(value, type) and attrs.has(value):
        for field in attrs.fields(value):
            if isinstance(field.default, attrs.Factory):
                default = repr(field.default.factory())
                signature = re.sub(
                    rf"(\b{field.alias}: [^=]*=) NOTHING", rf"\g<1> {default}", signature
                )
    return signature, returns


def _parameters(value: Any) -> Mapping[str, inspect.Parameter]:  # noqa: ANN401  # any callable
    try:
        return inspect.signature(value).parameters
    except (TypeError, ValueError):
        return {}


def _written(default: object) -> str | None:
    """Write a default; None when its repr will do."""
    if isinstance(default, BuiltinFunctionType):
        return f"{default.__module__}.{default.__name__}"
    # A function of the package's own has no name that others may use.
    return "..." if isinstance(default, FunctionType) else None


def setup(app: Sphinx) -> ExtensionMetadata:
    """Take part in the writing of signatures."""
    app.connect("autodoc-process-signature", show_defaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
