"""The lines of tables and keys in a TOML file, which tomllib does not tell."""

import re

_HEADER = re.compile(
    r"^\s*\[\[?\s*([A-Za-z0-9_-]+)\s*(?:\.\s*+[\"']?+([A-Za-z0-9_-]*+)[^\]]*+)?\]\]?"
)
_KEY = re.compile(r"""^\s*["']?([A-Za-z0-9_-]+)["']?\s*[.=]""")

_CLOSE = {
    '"""': re.compile(r'(?:[^"\\]|\\(?:.|$)|"{1,2}(?!"))*"{3,5}'),
    "'''": re.compile(r"(?:[^']|'{1,2}(?!'))*'{3,5}"),
}
_TOKEN = re.compile(r"""(?P<open>\"{3}|'{3})|"(?:[^"\\]|\\.)*"|'[^']*'|(?P<comment>\#)""")
"""A text that ends in its line, or the beginning of one with more lines, or a comment."""


def _still_open(line: str, inside: str) -> str:
    """Return the quotes of a multi-line text that continues after ``line``, '' if none does.

    ``inside`` are the quotes of a text that continues into ``line``.
    """
    at = 0
    while True:
        if inside:
            close = _CLOSE[inside].match(line, at)
            if close is None:
                return inside
            at, inside = close.end(), ""
        token = _TOKEN.search(line, at)
        if token is None or token["comment"]:
            return ""
        at, inside = token.end(), token["open"] or ""


class Lines:
    """The lines of the tables and keys of a text, for messages."""

    def __init__(self, text: str) -> None:
        self._where: dict[tuple[str, int, str], int] = {}
        table, index = "", 0
        counts: dict[str, int] = {}
        inside = ""
        for number, line in enumerate(text.split("\n"), 1):
            begins_inside, inside = inside, _still_open(line, inside)
            if begins_inside:
                continue
            header = _HEADER.match(line)
            if header:
                table = header[1]
                if line.lstrip().startswith("[["):
                    counts[table] = counts.get(table, -1) + 1
                index = max(0, counts.get(table, 0))
                # A table within is a key of the one around it.
                self._where.setdefault((table, index, header[2] or ""), number)
                continue
            key = _KEY.match(line)
            if key:
                self._where.setdefault((table, index, key[1]), number)

    def of(self, table: str, index: int, key: str = "") -> int | None:
        """Return the line of a table, or of a key in it, from 1."""
        return self._where.get((table, index, key))
