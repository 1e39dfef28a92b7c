"""The page on troubleshooting quotes what Torch says, and Torch says it."""

import ast
import re
from pathlib import Path

import pytest

from conftest import SOURCE

PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.md"

_QUOTED = re.compile(r"^### `(.+?)`", re.MULTILINE)


def said() -> str:
    """Return all texts in the code, those of f-strings with … for what is filled in."""
    found = []
    for path in (SOURCE / "torch_cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values
                )
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


SAID = said()
QUOTES = _QUOTED.findall(PAGE.read_text(encoding="utf-8"))


def test_the_page_quotes_messages() -> None:
    assert len(QUOTES) > 20


@pytest.mark.parametrize("quote", QUOTES)
def test_torch_says_what_the_page_quotes(quote: str) -> None:
    """What is filled in stands as … in the page, and may be longer in the code."""
    parts = [part for part in re.split(r"(?: *… *)+", quote) if part]
    assert parts, quote
    assert re.search(r"[^\n]*".join(map(re.escape, parts)), SAID), quote
