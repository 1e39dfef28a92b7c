"""TOML as text: values, files, patterns, comments. tomlkit writes it; tomllib reads it.

What cannot be seen, such as a mark that turns the direction of writing, is written as its number.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def document(tables: Mapping[str, Any]) -> str:
    """Return a file with ``tables`` as TOML."""
    import tomlkit  # 30 ms, which reading a profile can do without

    return _visible(tomlkit.dumps(tables))


def value(of: str | Sequence[str]) -> str:
    """Return a string, or a list of strings, as TOML."""
    import tomlkit

    return _visible(tomlkit.item(of).as_string())


def _visible(text: str) -> str:
    return "".join(one if one.isprintable() or one == "\n" else _number(one) for one in text)


def _number(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code < 0xE000:  # a byte that is not UTF-8 was read so; TOML cannot hold it
        return "\\ufffd"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def pattern(text: str) -> str:
    """Return a pattern as a TOML string, in the form that keeps backslashes if it can."""
    literal = "'" not in text and text.isprintable()
    return f"'{text}'" if literal else value(text)


def noted(setting: str, note: str) -> str:
    """Return a line of TOML with a comment behind it."""
    return f"{setting:<30} # {note}"


def comment(text: str) -> str:
    """Return ``text`` in a form that a comment may contain: TOML allows no control characters
    there.
    """
    return "".join(one if one.isprintable() else " " for one in text).strip()
