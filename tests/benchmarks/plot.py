"""A bar chart as SVG: what nimble_stop takes of boto3's time or memory, boto3 being the full bar.

Drawn by hand: a plotting library would be one more thing to install for seven bars. Narrow, with
each label above its bar, so that it can be read on a telephone. The colours of text and background
are those of the page that it is part of, light or dark.
"""

from __future__ import annotations

from html import escape

_WIDTH = 400
_MARGIN = 12
_VALUE = 44
_BAR = _WIDTH - 2 * _MARGIN - _VALUE
_ROW = 52


def draw(shares: list[tuple[str, float]]) -> str:
    """Draw a bar for each figure.

    Args:
        shares: What was measured, and its share of boto3's figure; 1 is as much.
    """
    height = _ROW * len(shares) + 44
    scale = _BAR / max(1.0, *(share for _, share in shares))
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" role="img" fill="currentColor" class="chart">'
        ),
        "<title>nimble_stop's share of boto3's time and memory; shorter is better</title>",
    ]
    for row, (what, share) in enumerate(shares):
        top = row * _ROW + _MARGIN
        lines += [
            f'<text x="{_MARGIN}" y="{top + 12}">{escape(what)}</text>',
            (
                f'<rect x="{_MARGIN}" y="{top + 18}" width="{scale:.0f}" height="20" '
                'class="whole" fill-opacity="0.15"/>'
            ),
            (
                f'<rect x="{_MARGIN}" y="{top + 18}" width="{share * scale:.0f}" height="20" '
                'class="share" fill="#2a78c2"/>'
            ),
            (
                f'<text x="{_MARGIN + max(share, 1) * scale + 8:.0f}" y="{top + 33}">'
                f"{share:.2f}</text>"
            ),
        ]
    lines += [
        (
            f'<text x="{_MARGIN}" y="{height - 12}" class="quiet">grey: boto3 = 1; '
            "blue: nimble_stop; shorter is better</text>"
        ),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
