"""Read parsed TOML into named tuples, and say exactly which key is wrong.

The class of the tuple is the schema: field names are the keys, field types are the types of values.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from torch_cli.errors import RefusedError
from torch_cli.programs.state import TROUBLES, State

Pattern = re.Pattern[str]
_T = TypeVar("_T")

# Texts that must be one of a few words, by (table, key).
_CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("box", "kind"): ("ruled", "footed", "barred", "lines", "prompt", "none"),
    ("rules", "where"): ("footer", "above", "nearest", "bottom", "turn", "box", "panel", "title"),
    ("rules", "choose"): ("digit", "letter", "arrows", "click", ""),
    ("troubles", "where"): ("footer", "above", "nearest", "bottom"),
    ("troubles", "state"): ("error", "retrying"),
    ("modes.known", "where"): ("footer", "above"),
    ("answer", "transcript"): (
        *("aider", "claude", "codex", "gemini", "kilo", "opencode", "pi", "qwen"),
        "",
    ),
    ("hooks", "kind"): ("claude", "plugin", ""),
    ("hooks", "events"): (
        *("started", "submitted", "working", "idle", "failed", "waiting", "exited", "compacted"),
        *("compacting", "helper-began", "helper-ended", "notice", "retrying"),
    ),
    ("hooks", "replies"): ("once", "reject"),
}


class TableReader:
    """Turns parsed TOML into the named tuples, with errors that name the key."""

    def __init__(self, source: str, text: str = "") -> None:
        self.source = source
        self.index: dict[str, int] = {}
        self._text = text

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise RefusedError: ``key`` followed by what is wrong with it, and its line."""
        line = self._line(key)
        raise RefusedError(
            f"{self.source}{line}: {key} {problem}" + ("" if problem.endswith("?") else "."),
            hint="The stock profile claude.toml explains every key.",
            code="bad-profile",
        )

    def _line(self, key: str) -> str:
        """Return ``:LINE`` of a dotted key, or of the table that it is in; '' if not known.

        In a list of tables, ``index`` says which of them is being read.
        """
        from torch_cli.toml_lines import Lines

        lines = Lines(self._text)
        head, *rest = key.partition(" ")[0].split(".")
        number = self.index.get(head, 0)
        places = [(head, number, rest[-1]), (head, number, rest[0])] if rest else []
        places += [(head, number, ""), ("", 0, head)]
        found = next((line for one in places if (line := lines.of(*one))), None)
        return f":{found}" if found else ""

    def table(self, kind: type[_T], value: object, where: str) -> _T:
        """Read one table into the named tuple ``kind``; ``where`` is its dotted name."""
        if not isinstance(value, dict):
            self.refuse(where, "must be a table")
        fields = kind.__annotations__
        defaults = kind._field_defaults  # type: ignore[attr-defined]
        for key in value:
            if key not in fields:
                known = [name for name in fields if name != "source"]
                self.refuse(_dotted(where, key), "is not a key of a profile." + nearest(key, known))
        for name in fields:
            if name not in defaults and name not in value:
                self.refuse(_dotted(where, name), "is missing")
        return kind(**{k: self.value(fields[k], v, _dotted(where, k)) for k, v in value.items()})

    def value(self, kind: Any, value: object, key: str) -> Any:
        """Read one value as the type ``kind`` that a field is declared with."""
        if hasattr(kind, "_field_defaults"):
            return self.table(kind, value, key)
        if kind in (Pattern, Pattern | None):
            return self.pattern(value, key)
        if kind is State:
            return self._choice(value, tuple(s for s in State if s not in TROUBLES), key, State)
        if kind == Mapping[str, str]:
            return self._events(value, key)
        if kind == bool | None:
            kind = bool
        if kind in (str, bool, int, float):
            return self._scalar(kind, value, key)
        if not isinstance(value, list):
            self.refuse(key, "must be a list")
        (item, *_) = kind.__args__
        return tuple(self._items(item, value, key))

    def _items(self, item: Any, entries: list[object], key: str) -> Iterator[Any]:
        """Read the values of a list; ``index`` says which one meanwhile, if they are tables."""
        for number, entry in enumerate(entries):
            if hasattr(item, "_field_defaults"):
                self.index[key.partition(".")[0]] = number
            yield self.value(item, entry, key)

    def _scalar(self, kind: type, value: object, key: str) -> Any:
        allowed = (int, float) if kind is float else (kind,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            words = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
            self.refuse(key, f"must be {words[kind]}, not {value!r}")
        if isinstance(value, int | float) and value < 0:
            self.refuse(key, f"must not be negative ({value})")
        section, _, leaf = key.rpartition(".")
        choices = _CHOICES.get((section, leaf))
        return self._choice(value, choices, key, str) if choices else kind(value)

    def _choice(self, value: object, choices: tuple[str, ...], key: str, kind: Any) -> Any:
        if value not in choices:
            known = ", ".join(repr(str(choice)) for choice in choices)
            near = nearest(str(value), [str(choice) for choice in choices])
            self.refuse(key, f"must be one of {known}, not {value!r}.{near}")
        return kind(value)

    def _events(self, value: object, key: str) -> dict[str, str]:
        if not isinstance(value, dict):
            self.refuse(key, "must be a table")
        meanings = _CHOICES["hooks", key.rpartition(".")[2]]
        return {k: self._choice(v, meanings, _dotted(key, k), str) for k, v in value.items()}

    def pattern(self, value: object, key: str) -> Pattern:
        """Read a regular expression."""
        if not isinstance(value, str):
            self.refuse(key, f"must be a regular expression in quotes, not {value!r}")
        try:
            return re.compile(value)
        except re.error as error:
            self.refuse(key, f"is not a regular expression ({value!r}): {error}")


def _dotted(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def nearest(word: str, known: list[str]) -> str:
    """Return `` Did you mean …?`` for the nearest of ``known``, or nothing."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
