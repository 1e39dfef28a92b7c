"""The user's ``config.toml``: where it is, and a table of it, whose meaning its room knows."""

import os
from collections.abc import Iterable
from typing import Any

from torch_cli.errors import RefusedError
from torch_cli.paths import config_dir


def settings_file() -> str:
    """Return the path of the user's ``config.toml``; there may be none."""
    return os.path.join(config_dir(), "config.toml")


def read_table(name: str) -> dict[str, Any]:
    """Return the table of that name, empty if there is none.

    Raises ``RefusedError`` for a file that cannot be read, or where the name is no table.
    """
    import tomllib

    try:
        with open(settings_file(), "rb") as file:
            table = tomllib.load(file).get(name, {})
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise wrong(f"cannot be read: {error}") from error
    if not isinstance(table, dict):
        raise wrong(f"'{name}' is not a table")
    return table


def unknown(table: str, name: str, known: Iterable[str]) -> RefusedError:
    """Return the error for a setting that is not ``known``, with the one that may be meant."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known settings: {', '.join(known)}."
    return wrong(f"unknown setting '{table}.{name}'", hint)


def wrong(what: str, hint: str = "") -> RefusedError:
    """Return the error that says what is wrong with the file."""
    return RefusedError(f"{settings_file()}: {what}", hint=hint, code="bad-config")
