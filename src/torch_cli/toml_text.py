"""Values as TOML text: strings, patterns, comments. Python reads TOML but does not write it."""

import json
from collections.abc import Iterable


def string(text: str) -> str:
    """Return ``text`` as a TOML string; what cannot be seen is written as its number."""
    plain = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else _number(one) for one in plain)


def _number(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code < 0xE000:  # TOML has none; a byte that is not UTF-8 was read so
        return "\\ufffd"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def strings(texts: Iterable[str]) -> str:
    """Return ``texts`` as a TOML array of strings."""
    return "[" + ", ".join(map(string, texts)) + "]"


def pattern(text: str) -> str:
    """Return a pattern as a TOML string, in the form that keeps backslashes if it can."""
    literal = "'" not in text and text.isprintable()
    return f"'{text}'" if literal else string(text)


def noted(setting: str, note: str) -> str:
    """Return a line of TOML with a comment behind it."""
    return f"{setting:<30} # {note}"


def comment(text: str) -> str:
    """Return ``text`` in a form that a comment may contain: TOML allows no control characters
    there.
    """
    return "".join(one if one.isprintable() else " " for one in text).strip()
