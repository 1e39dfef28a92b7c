"""Small edits of JSON as text. Everything else keeps every byte.

A position is the index of a value's first character. Texts must be valid JSON. ``check`` tests
that, and names the place of a mistake.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

_BLANKS = re.compile(r"[ \t\r\n]*")
_VALUE = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class JsonItem:
    """A member of an object, or with ``key`` None an element of a list, as spans of the text."""

    key: str | None
    start: int
    value: int
    end: int


def check(text: str) -> Any:
    """Return the value of ``text``; raises ``ValueError`` saying line and column of a mistake."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def find(text: str, *path: str) -> int | None:
    """Return the position of the member at ``path``, from the root; ``None`` if there is none."""
    position: int | None = _skip(text, 0)
    for key in path:
        if position is None or text[position] != "{":
            return None
        # Of two members with the same name the last counts, as for every reader.
        found = [entry.value for entry in entries(text, position) if entry.key == key]
        position = found[-1] if found else None
    return position


def value(text: str, position: int) -> Any:
    """Return the value at ``position``."""
    return _VALUE.raw_decode(text, position)[0]


def entries(text: str, position: int) -> list[JsonItem]:
    """Return the entries of the object or list at ``position``, in order."""
    in_object = text[position] == "{"
    found: list[JsonItem] = []
    at = _skip(text, position + 1)
    while text[at] not in "}]":
        start, key = at, None
        if in_object:
            key, at = _VALUE.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        end = _VALUE.raw_decode(text, at)[1]
        found.append(JsonItem(key, start, at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def add(text: str, position: int, new: Any, key: str | None = None) -> str:
    """Append ``new`` to the object (under ``key``) or list at ``position``, in its style."""
    present = entries(text, position)
    if present:
        end = present[-1].end
        gap = _gap(text, present, position)
        indent = gap.rpartition("\n")[2] if "\n" in gap else None
        return f"{text[:end]},{gap}{_render(text, new, key, indent)}{text[end:]}"
    close = _skip(text, position + 1)
    if _is_compact(text):
        return f"{text[: position + 1]}{_render(text, new, key, None)}{text[close:]}"
    line = text[text.rfind("\n", 0, position) + 1 :]
    base = line[: len(line) - len(line.lstrip(" \t"))]
    indent = base + _unit(text)
    newline = _newline(text)
    inside = f"{newline}{indent}{_render(text, new, key, indent)}{newline}{base}"
    return text[: position + 1] + inside + text[close:]


def drop(text: str, position: int, index: int) -> str:
    """Remove the entry number ``index`` of the container at ``position``, with its comma."""
    present = entries(text, position)
    if len(present) == 1:
        return text[: position + 1] + text[_skip(text, present[0].end) :]
    if index == 0:
        return text[: present[0].start] + text[present[1].start :]
    return text[: present[index - 1].end] + text[present[index].end :]


def replace(text: str, position: int, new: str) -> str:
    """Put the string ``new`` in place of the value at ``position``."""
    end = _VALUE.raw_decode(text, position)[1]
    return text[:position] + json.dumps(new, ensure_ascii=False) + text[end:]


def _skip(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _gap(text: str, present: list[JsonItem], position: int) -> str:
    """Return the spaces that go before a new entry of the container at ``position``."""
    if len(present) > 1:
        comma = text.index(",", present[-2].end)
        return text[comma + 1 : present[-1].start]
    lead = text[position + 1 : present[0].start]
    return lead if "\n" in lead else " "


def _render(text: str, new: Any, key: str | None, indent: str | None) -> str:
    """Return ``new`` as JSON; in one line if ``indent`` (of its first line) is None."""
    if indent is None:
        written = json.dumps(new, ensure_ascii=False)
    else:
        written = json.dumps(new, ensure_ascii=False, indent=_unit(text))
        written = written.replace("\n", _newline(text) + indent)
    return written if key is None else f"{json.dumps(key, ensure_ascii=False)}: {written}"


def _lead(text: str) -> str | None:
    """Return the spaces before the first entry of the whole, ``None`` if it has none."""
    root = _skip(text, 0)
    present = entries(text, root) if text[root] in "{[" else []
    return text[root + 1 : present[0].start] if present else None


def _is_compact(text: str) -> bool:
    lead = _lead(text)
    return lead is not None and "\n" not in lead


def _unit(text: str) -> str:
    """Return one step of the text's indentation."""
    return (_lead(text) or "").rpartition("\n")[2] or "  "


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
