"""The lines for completion that the help of ``torch completion`` advises, in start-up files."""

import os
from collections.abc import Mapping

from torch_cli.programs.changes import FileChange
from torch_cli.regular import read_regular

_LARGEST_BYTES = 4 << 20
"""Bytes of a start-up file that is read at most."""

_LINES = tuple(f'eval "$(torch completion {shell})"'.encode() for shell in ("bash", "zsh"))
"""These lines are removed, and no line that looks another way: a person wrote it."""

_FISH_MARK = b"_TORCH_COMPLETE"
"""A word of each script that ``torch completion fish`` prints."""


def plan_removal(environ: Mapping[str, str] = os.environ) -> list[FileChange]:
    """Return the changes that take completion out of the start-up files of bash, zsh and fish."""
    home = os.path.expanduser("~")
    zsh = environ.get("ZDOTDIR") or home
    names = [os.path.join(home, name) for name in (".bashrc", ".bash_profile", ".profile")]
    names += [os.path.join(zsh, name) for name in (".zshrc", ".zprofile")]
    changes = []
    for path in names:
        if (before := _content(path)) is not None:
            lines = before.splitlines(keepends=True)
            after = b"".join(line for line in lines if line.strip() not in _LINES)
            changes.append(FileChange(path, before, after, forget=True))
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    fish = os.path.join(config, "fish", "completions", "torch.fish")
    if (before := _content(fish)) is not None and _FISH_MARK in before:
        changes.append(FileChange(fish, before, None, forget=True))
    return changes


def _content(path: str) -> bytes | None:
    """Return a file's bytes, ``None`` if it is not there, too large, or not a regular file."""
    try:
        return read_regular(path, _LARGEST_BYTES)
    except (OSError, ValueError):
        return None
