"""Where tables and keys stand in a TOML file; tomllib does not say."""

import re

_HEADER = re.compile(r"^\s*\[\[?\s*([A-Za-z0-9_-]+)\s*(?:\.\s*[\"']?([A-Za-z0-9_-]*)[^\]]*)?\]\]?")
_KEY = re.compile(r"""^\s*["']?([A-Za-z0-9_-]+)["']?\s*[.=]""")


class Lines:
    """The lines of the tables and keys of a text, for messages."""

    def __init__(self, text: str) -> None:
        self._where: dict[tuple[str, int, str], int] = {}
        table, index = "", 0
        counts: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), 1):
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
