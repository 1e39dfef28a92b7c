"""A film of a terminal as one SVG: frames side by side, which CSS moves past a window.

There is no script in it and nothing that is loaded, so it plays where pictures are shown. Where CSS
does not move, or a reader wants no motion, it shows one frame. It has a dark ground of its own, for
the colours of the terminal are made for that.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from rich.color import Color
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

CELL, LINE, SIZE = 8.4, 18, 14
"""A cell's width, a row's height, and the size of the letters, in pixels."""

EDGE, BAR = 12, 28
"""What is around the rows, and the bar above them, in pixels."""

GROUND, INK, FAINT = "#15181c", "#d8dee4", "#5c6670"
FONT = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"


class Frame(NamedTuple):
    """What a terminal shows, for some seconds. ``rows`` have colours as ``capture-pane -e`` prints
    them. ``cursor`` is a column and a row.
    """

    rows: tuple[str, ...]
    cursor: tuple[int, int]
    seconds: float


def joined(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames, those that follow each other with the same sight as one."""
    film: list[Frame] = []
    for one in frames:
        if film and (film[-1].rows, film[-1].cursor) == (one.rows, one.cursor):
            film[-1] = film[-1]._replace(seconds=film[-1].seconds + one.seconds)
        else:
            film.append(one)
    return film


def film(frames: Sequence[Frame], size: tuple[int, int], still: int, title: str) -> str:
    """Return the SVG of a terminal of ``size`` (columns and rows); ``still`` is the frame that is
    shown without motion.
    """
    columns, rows = size
    width = round(columns * CELL + 2 * EDGE)
    height = rows * LINE + 2 * EDGE + BAR
    known: dict[str, int] = {}
    strip = [_frame(at * width, one, known) for at, one in enumerate(frames)]
    lines = [f'<g id="r{n}">{_row(row)}</g>' for row, n in known.items()]
    dots = "".join(f'<circle cx="{18 + 18 * n}" cy="15" r="5" fill="{FAINT}"/>' for n in range(3))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" xml:space="preserve" role="img">',
            f"<title>{escape(title, quote=False)}</title>",
            f"<style>{_motion(frames, width)}</style>",
            f"<defs>{''.join(lines)}</defs>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{GROUND}"/>{dots}',
            f'<svg y="{BAR}" width="{width}" height="{height - BAR}">',
            f'<g class="film" transform="translate({-still * width})" fill="{INK}" '
            f'font-family="{FONT}" font-size="{SIZE}">',
            *strip,
            "</g></svg></svg>\n",
        ]
    )


def _motion(frames: Sequence[Frame], width: int) -> str:
    """Return the style sheet that shows one frame after the other, from the first one again."""
    whole = sum(one.seconds for one in frames)
    steps, at = [], 0.0
    for number, one in enumerate(frames):
        steps.append(f"{100 * at / whole:.2f}%{{transform:translateX({-number * width}px)}}")
        at += one.seconds
    return (
        f"@keyframes film{{{''.join(steps)}}}"
        f".film{{animation:film {whole:.1f}s step-end infinite}}"
        "@media (prefers-reduced-motion:reduce){.film{animation:none}}"
        "text{white-space:pre}"
    )


def _frame(x: int, one: Frame, known: dict[str, int]) -> str:
    """Return a frame, its rows by number: what stands in many frames is in the film once."""
    column, row = one.cursor
    drawn = [
        f'<rect x="{EDGE + column * CELL:.1f}" y="{EDGE + row * LINE}" width="{CELL}" '
        f'height="{LINE}" fill="{FAINT}"/>'
    ]
    for at, text in enumerate(one.rows):
        if text.strip():
            number = known.setdefault(text, len(known))
            drawn.append(f'<use href="#r{number}" x="{EDGE}" y="{EDGE + at * LINE}"/>')
    return f'<g transform="translate({x})">{"".join(drawn)}</g>'


def _row(ansi: str) -> str:
    """Return a row as text in its colours. Each run of cells begins at its own place."""
    text = Text.from_ansi(ansi, no_wrap=True)
    parts, at = [], 0
    for piece in text.divide(sorted({edge for one in text.spans for edge in one[:2]})):
        style = Style.combine([Style(), *(Style.parse(str(one.style)) for one in piece.spans)])
        if piece.plain.strip() or style.bgcolor is not None or style.reverse:
            parts.append(_piece(piece.plain, style, at * CELL, piece.cell_len * CELL))
        at += piece.cell_len
    return "".join(parts)


def _piece(words: str, style: Style, x: float, width: float) -> str:
    """Return a run of cells in one style."""
    ink, ground = _colour(style.color), _colour(style.bgcolor)
    if style.reverse:
        ink, ground = ground or GROUND, ink or INK
    facts = f' fill="{ink}"' if ink else ""
    facts += ' font-weight="bold"' if style.bold else ""
    facts += ' opacity=".65"' if style.dim else ""
    behind = f'<rect x="{x:.1f}" width="{width:.1f}" height="{LINE}" fill="{ground}"/>'
    text = f'<text x="{x:.1f}" y="{SIZE}" textLength="{width:.1f}"{facts}>'
    return f"{behind if ground else ''}{text}{escape(words, quote=False)}</text>"


def _colour(colour: Color | None) -> str:
    if colour is None or colour.is_default:
        return ""
    return colour.get_truecolor(SVG_EXPORT_THEME).hex
