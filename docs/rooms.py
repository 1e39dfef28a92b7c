"""The rooms of Torch and the imports between them: the picture in architecture.md is made here.

The order of the rooms is the table in that page, and stands nowhere else. ``python docs/rooms.py``
prints the picture, with ``--write`` it puts it into the page.
"""

import ast
import functools
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_name("architecture.md")
SOURCE = Path(__file__).parents[1] / "src"
PACKAGE = "torch_cli"

BEGIN, END = "<!-- made by docs/rooms.py -->\n", "<!-- end of what is made -->\n"

_ROW = re.compile(r"^\| ((?:`\w+/?`(?:, )?)+) \| (.+) \|$", re.MULTILINE)


class Import(NamedTuple):
    """An import of the module ``target`` in the module ``source``, at a line of that."""

    source: str
    target: str
    line: int


def rows() -> list[list[str]]:
    """Return the rooms from the top down; a row of several is one floor of single modules."""
    found = _ROW.findall(PAGE.read_text(encoding="utf-8"))
    return [re.findall(r"`(\w+)/?`", names) for names, _ in found]


@functools.cache
def modules() -> Mapping[str, Path]:
    """Return the file of each module of the package, by its dotted name without the package's."""
    found = {}
    for path in sorted((SOURCE / PACKAGE).rglob("*.py")):
        parts = path.relative_to(SOURCE / PACKAGE).with_suffix("").parts
        if parts[-1] == "__init__" and len(parts) > 1:
            parts = parts[:-1]
        found[".".join(parts)] = path
    return found


@functools.cache
def tree(module: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def room_of(module: str) -> str:
    """Return the room that a module is in: the package, or a single module itself."""
    return module.partition(".")[0]


@functools.cache
def imports() -> tuple[Import, ...]:
    """Return every import of one module of the package by another.

    Those inside of functions and under ``TYPE_CHECKING`` count like all others.
    """
    found = []
    for source, path in modules().items():
        for node in ast.walk(tree(source)):
            for name in _named(node, source, path):
                target = _module(name)
                if target and target != source:
                    found.append(Import(source, target, getattr(node, "lineno", 0)))
    return tuple(found)


def _named(node: ast.AST, source: str, path: Path) -> Iterator[str]:
    """Yield the full names that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            inside = [PACKAGE, *source.split(".")]
            kept = len(inside) - node.level + (path.stem == "__init__")
            base = ".".join([*inside[:kept], *([base] if base else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _module(name: str) -> str:
    """Return the module of the package that ``name`` is, or is in; '' if it is of another."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return ""
    for length in range(len(parts), 1, -1):
        if (found := ".".join(parts[1:length])) in modules():
            return found
    return "__init__"


def arrows() -> set[tuple[str, str]]:
    """Return which rooms import from which, the floor of single modules left out."""
    packages = {names[0] for names in rows() if (SOURCE / PACKAGE / names[0]).is_dir()}
    pairs = {(room_of(one.source), room_of(one.target)) for one in imports()}
    return {(a, b) for a, b in pairs if a != b and {a, b} <= packages}


def picture() -> str:
    """Return the rooms as a Mermaid drawing: an arrow stands for an import, and leads down.

    An arrow that other arrows make up is left out: who uses ``teams/`` may use what that uses.
    """
    found = arrows()
    below: dict[str, set[str]] = {}
    for upper, lower in found:
        below.setdefault(upper, set()).add(lower)
    direct = [
        (upper, lower)
        for upper, lower in found
        if not any(lower in _reached(below, other) for other in below[upper] - {lower})
    ]
    order = [names[0] for names in rows()]
    drawn = [name for name in order if any(name in pair for pair in direct)]
    lines = ["```mermaid", "flowchart TD", *(f"  {name}[{name}/]" for name in drawn)]
    direct.sort(key=lambda pair: (order.index(pair[0]), order.index(pair[1])))
    return "\n".join([*lines, *(f"  {upper} --> {lower}" for upper, lower in direct), "```", ""])


def _reached(below: dict[str, set[str]], upper: str) -> set[str]:
    """Return the rooms that arrows lead to from ``upper``, over others too."""
    seen: set[str] = set()
    waiting = [upper]
    while waiting:
        new = below.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


def page() -> str:
    """Return architecture.md with the picture as it is now."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{picture()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(picture(), end="")
