"""The floors of the package, drawn from the contracts that import-linter checks.

``[tool.importlinter]`` in ``pyproject.toml`` lists the floors from the top, and says what the
endpoint and the clients must not import from one another. What is not forbidden is drawn.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from svg import BOX_HEIGHT, arrow, box, drawing, text

PYPROJECT: Final = Path(__file__).parents[2] / "pyproject.toml"

_NAME: Final = "floors"
_PACKAGE: Final = "nimble_stop"
_ENDPOINT: Final = "local"
_WIDTH: Final = 372
_FLOOR_WIDTH: Final = 232
_ENDPOINT_LEFT: Final = 270
_ENDPOINT_WIDTH: Final = _WIDTH - 2 - _ENDPOINT_LEFT
_STEP: Final = 50
_GAP: Final = 8
_TOP: Final = 4


def floors(pyproject: Path = PYPROJECT) -> list[list[str]]:
    """Read the floors from the top; modules of one floor stand together."""
    layers = _contract(pyproject, lambda contract: contract["type"] == "layers")["layers"]
    return [[module.strip() for module in floor.split(":")] for floor in layers]


def importing_endpoint(pyproject: Path = PYPROJECT) -> set[str]:
    """Read which modules may import the endpoint."""
    contract = _contract(
        pyproject,
        lambda contract: contract.get("forbidden_modules") == [f"{_PACKAGE}.{_ENDPOINT}"],
    )
    return _modules(pyproject) - _own(contract["source_modules"])


def imported_by_endpoint(pyproject: Path = PYPROJECT) -> set[str]:
    """Read which modules the endpoint may import."""
    contract = _contract(
        pyproject,
        lambda contract: contract.get("source_modules") == [f"{_PACKAGE}.{_ENDPOINT}"],
    )
    return _modules(pyproject) - _own(contract["forbidden_modules"])


def draw() -> str:
    """Draw the floors below one another, and the endpoint beside them."""
    rows = floors()
    above, below = importing_endpoint(), imported_by_endpoint()
    # Rows beside the endpoint are those of the modules that have nothing to do with it.
    beside = [y for y, row in enumerate(rows) if not {*row} & (above | below)]
    top, bottom = _y(beside[0]), _y(beside[-1]) + BOX_HEIGHT
    middle = _ENDPOINT_LEFT + _ENDPOINT_WIDTH / 2
    parts = [box(_ENDPOINT, _ENDPOINT_LEFT, top, _ENDPOINT_WIDTH, "lasting", height=bottom - top)]
    for number, row in enumerate(rows):
        parts += _row(row, _y(number), last=number == len(rows) - 1)
        center = _y(number) + BOX_HEIGHT / 2
        if above & {*row}:
            turn = f"H{middle - 6:g} Q{middle:g} {center:g} {middle:g} {center + 6:g}"
            parts.append(arrow(_NAME, f"M{_FLOOR_WIDTH} {center:g} {turn} V{top - 2:g}"))
        if below & {*row}:
            turn = f"V{center - 6:g} Q{middle:g} {center:g} {middle - 6:g} {center:g}"
            parts.append(arrow(_NAME, f"M{middle:g} {bottom:g} {turn} H{_FLOOR_WIDTH + 2:g}"))
    parts.append(text("the endpoint", middle, (top + bottom) / 2 + 20, "quiet", "middle"))
    title = (
        "The floors of the package from the top, each of which imports from those below it: "
        + ("; ".join(" and ".join(row) for row in rows))
    )
    return drawing(_NAME, title, _WIDTH, _y(len(rows) - 1) + BOX_HEIGHT + _TOP, parts)


def _row(row: list[str], y: float, *, last: bool) -> list[str]:
    width = (_FLOOR_WIDTH - 2 - _GAP * (len(row) - 1)) / len(row)
    parts = [
        box(module, 2 + number * (width + _GAP), y, width, "floor")
        for number, module in enumerate(row)
    ]
    if not last:
        x = _FLOOR_WIDTH / 2
        parts.append(arrow(_NAME, f"M{x:g} {y + BOX_HEIGHT:g} V{y + _STEP - 2:g}"))
    return parts


def _y(row: int) -> float:
    return _TOP + row * _STEP


def _modules(pyproject: Path) -> set[str]:
    return {module for row in floors(pyproject) for module in row}


def _own(modules: list[str]) -> set[str]:
    return {module.removeprefix(f"{_PACKAGE}.") for module in modules}


def _contract(pyproject: Path, is_wanted: Any) -> dict[str, Any]:  # noqa: ANN401
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]
    return next(contract for contract in contracts["contracts"] if is_wanted(contract))
