"""Briefings: the first message of an agent, from a file, a stock name, or standard input."""

import sys
from pathlib import Path

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.paths import config_dir

# In a wheel the stock briefings lie inside the package, in a checkout beside src/.
_PACKAGED = Path(__file__).parent.parent / "briefings"
_CHECKOUT = Path(__file__).parents[3] / "briefings"


def directories() -> list[Path]:
    """Return where briefings are looked for, the user's own first."""
    return [Path(config_dir()) / "briefings", _PACKAGED, _CHECKOUT]


def names() -> list[str]:
    """Return the names of the briefings that can be given without a path."""
    return sorted({path.stem for folder in directories() for path in folder.glob("*.md")})


def read(source: str) -> str:
    """Return the text of a briefing.

    ``source`` is ``-`` for standard input, a path if it holds a slash or names a file, else the
    name of a briefing. Raises ``NotFoundError`` with the known names, ``RefusedError`` if the file
    cannot be read as UTF-8.
    """
    if source == "-":
        return _decoded(sys.stdin.buffer.read(), "on standard input")
    path = Path(source).expanduser()
    if "/" not in source and not path.is_file():
        named = [folder / f"{source}.md" for folder in directories()]
        path = next((candidate for candidate in named if candidate.is_file()), path)
    if not path.is_file():
        raise NotFoundError(
            f"there is no briefing '{source}'",
            hint=f"Known briefings: {', '.join(names()) or 'none'}; or give a path.",
            code="no-briefing",
        )
    try:
        return _decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise RefusedError(f"the briefing {path} cannot be read: {error}") from error


def _decoded(text: bytes, where: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(
            f"the briefing {where} is not UTF-8: byte 0x{text[error.start]:02x} at offset "
            f"{error.start}",
            code="not-utf8",
        ) from None
