"""What must be made anew in the child of a ``fork()``.

A lock that another thread held at that moment stays locked in the child for ever, and a socket
would be used by two processes at once.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """An object that a child process must not use as its parent left it."""

    def renew_after_fork(self) -> None:
        """Replace locks and drop connections; called in the child, once, with no other thread."""


_renewables: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renew_in_children(owner: Renewable) -> None:
    """Have the object renewed in every child process, as long as it lives."""
    _renewables.add(owner)


def _renew_all() -> None:
    for owner in tuple(_renewables):
        owner.renew_after_fork()


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
