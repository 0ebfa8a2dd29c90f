from __future__ import annotations

import runpy
import sys

import pytest

import nimble_stop.local
from nimble_stop.local.faults import kinds
from nimble_stop.local.faults.rules import kinds_of_faults


def test_names() -> None:
    """`__all__` is sorted, the faults behind the rest, and every name is there once."""
    names = nimble_stop.local.__all__
    assert kinds.__all__ == sorted(kinds.__all__)
    own = names[: -len(kinds.__all__)]
    assert names == [*sorted(own), *kinds.__all__]
    assert len(set(names)) == len(names)
    assert all(hasattr(nimble_stop.local, name) for name in names)


def test_every_fault_is_public() -> None:
    """Whatever can be injected can be imported."""
    assert [kind.__name__ for kind in kinds_of_faults()] == kinds.__all__


def test_without_aiohttp_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error names it."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'nimble-stop\[local\]'"):
        runpy.run_path(str(nimble_stop.local.__file__))
