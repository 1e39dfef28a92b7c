"""The stock profiles as JSON, beside their TOML: each message reads one, and TOML takes 5 ms more.

The TOML is what people read and edit. A JSON file counts only while it was made of exactly that
text; ``python -m torch_cli.programs.swift`` makes all of them, and a test says if one is missing.
"""

import json
import os
import zlib
from typing import Any

FOLDER = os.path.join(os.path.dirname(__file__), "profiles", "json")
"""Where the JSON files are."""


def table_of(name: str, text: str) -> dict[str, Any] | None:
    """Return what the TOML ``text`` of the stock profile ``name`` holds, ``None`` if unknown."""
    try:
        with open(os.path.join(FOLDER, f"{name}.json"), "rb") as file:
            kept = json.loads(file.read())
    except (OSError, ValueError):
        return None
    table: dict[str, Any] | None = kept["table"] if kept["crc"] == _mark(text) else None
    return table


def written(text: str) -> str:
    """Return the JSON file for a stock profile with this TOML ``text``."""
    import tomllib

    return json.dumps({"crc": _mark(text), "table": tomllib.loads(text)}, ensure_ascii=False) + "\n"


def _mark(text: str) -> int:
    """Return what tells another text: nobody has an interest in two with one."""
    return zlib.crc32(text.encode())


def main() -> None:
    """Write the JSON files of all stock profiles."""
    os.makedirs(FOLDER, exist_ok=True)
    stock = os.path.dirname(FOLDER)
    for one in sorted(os.listdir(stock)):
        name, extension = os.path.splitext(one)
        if extension == ".toml":
            with open(os.path.join(stock, one), encoding="utf-8") as file:
                text = file.read()
            with open(os.path.join(FOLDER, f"{name}.json"), "w", encoding="utf-8") as file:
                file.write(written(text))


if __name__ == "__main__":
    main()
