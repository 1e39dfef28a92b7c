"""Pictures as SVG: boxes with words, arrows between them. Nothing but text, and no network.

The pictures have a white ground of their own, so that they can be read on dark pages too.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

INK, LINE, GROUND = "#1f2933", "#52606d", "#ffffff"
FONT = "system-ui, 'DejaVu Sans', sans-serif"

SMALL, MIDDLE = 11.0, 13.0
"""Sizes of text in pixels: words, names."""

LEADING = 1.3
"""The distance of two lines of text, as a multiple of its size."""

_HEAD = (
    '<marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="{line}"/></marker>'
)


class Box(NamedTuple):
    """A rectangle: its left upper corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        """The point in its middle."""
        return self.x + self.width / 2, self.y + self.height / 2

    def at(self, across: float, down: float) -> tuple[float, float]:
        """Return the point at these shares of its width and of its height, from 0 to 1."""
        return self.x + self.width * across, self.y + self.height * down


def words(
    x: float,
    y: float,
    lines: Sequence[str],
    *,
    size: float = SMALL,
    bold: bool = False,
    colour: str = INK,
) -> str:
    """Return lines of text around the point (``x``, ``y``)."""
    top = y - (len(lines) - 1) * size * LEADING / 2 + size * 0.35
    weight = ' font-weight="600"' if bold else ""
    return "".join(
        f'<text x="{x:.1f}" y="{top + index * size * LEADING:.1f}" font-size="{size:g}"'
        f'{weight} fill="{colour}" text-anchor="middle">{escape(line, quote=False)}</text>'
        for index, line in enumerate(lines)
    )


def rectangle(box: Box, *, fill: str = "#f5f7fa", line: str = LINE) -> str:
    """Return a box with rounded corners."""
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="6" fill="{fill}" stroke="{line}"/>'
    )


def arrow(points: Sequence[tuple[float, float]]) -> str:
    """Return an arrow: straight between two ``points``, else along curves of three more each."""
    (x, y), *rest = points
    way = ("L" if len(points) == 2 else "C") + " ".join(f"{a:.1f} {b:.1f}" for a, b in rest)
    return f'<path d="M{x:.1f} {y:.1f}{way}" fill="none" stroke="{LINE}" marker-end="url(#head)"/>'


def picture(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return the whole picture; ``title`` is what it shows, for those who cannot see it."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'role="img" font-family="{FONT}">',
            f"<title>{escape(title, quote=False)}</title>",
            f"<defs>{_HEAD.format(line=LINE)}</defs>",
            f'<rect width="{width:.0f}" height="{height:.0f}" rx="8" fill="{GROUND}"/>',
            *parts,
            "</svg>",
            "",
        ]
    )
