"""The names of constants: one name stands for one value, and a time or a size says its unit."""

import ast
import collections
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from conftest import SOURCE

SHARED = {"PRIORITIES", "SETTINGS", "SHELL_TOOL"}
"""Names that several modules give to values of their own: the priorities with and without their
numbers, because ``torch send`` imports nothing for them, and what every stub and every house of a
program has."""

UNITS = {"Seconds": "SECONDS", "Bytes": "BYTES", "Milliseconds": "MILLISECONDS"}
"""How the words about a constant begin, and what its name has to end with."""


class Constant(NamedTuple):
    """A constant of a module: its name, the code of its value, and the words below it."""

    module: str
    name: str
    value: str
    words: str

    @property
    def is_number(self) -> bool:
        """Whether the value is a number, or worked out of numbers alone."""
        return not re.search(r"[^\d\s.*+<|()e_-]", self.value)


def constants(path: Path) -> Iterator[Constant]:
    """Yield what a module assigns to names in capitals, at its top level."""
    body = ast.parse(path.read_text()).body
    for node, below in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if not name.strip("_").isupper():
            continue
        words = ""
        match below:
            case ast.Expr(value=ast.Constant(value=str(said))):
                words = said
        module = str(path.relative_to(SOURCE / "torch_cli").with_suffix("")).replace("/", ".")
        yield Constant(module, name, ast.unparse(value), words)


ALL = [one for path in sorted((SOURCE / "torch_cli").rglob("*.py")) for one in constants(path)]


def test_a_constants_name_stands_for_one_value() -> None:
    """Private names may repeat, because no one meets two of them, but those of numbers may not."""
    values: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for one in ALL:
        if one.is_number or not one.name.startswith("_"):
            values[one.name.lstrip("_")][one.module] = one.value
    several = {name: found for name, found in values.items() if len(set(found.values())) > 1}
    assert {name: found for name, found in several.items() if name not in SHARED} == {}
    assert set(several) >= SHARED, "these are not shared any more"


def test_the_name_of_a_time_or_a_size_says_its_unit() -> None:
    wrong = [
        (one.module, one.name)
        for one in ALL
        for word, unit in UNITS.items()
        if one.is_number and one.words.startswith(f"{word} ") and not one.name.endswith(unit)
    ]
    assert wrong == []
